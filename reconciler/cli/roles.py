"""The commands that run until they are ended: the controller, and the speaker of a node."""

import click

from reconciler.cli.options import (
    ClusterChoice,
    cluster_options,
    config_option,
    log_options,
    named_configs,
    role_options,
)
from reconciler.cli.reporting import ReportingCommand


@click.command(cls=ReportingCommand)
@config_option
@cluster_options
@role_options
@click.option(
    "--lease-duration",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="For how long nobody else takes over from a controller that is not heard of; the same for all replicas.",
)
@click.option(
    "--http-address",
    default=":7472",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz, /readyz, /metrics and /status are served.",
)
@log_options
@click.pass_context
def controller(
    ctx: click.Context,
    *,
    configs: tuple[str, ...],
    choice: ClusterChoice,
    http_address: str,
    interval: float,
    lease_duration: int,
    pod_name: str | None,
    config_object: str | None,
    state_dir: str | None,
) -> int:
    """
    Give Services of type LoadBalancer their addresses, until ended by SIGTERM. SIGHUP looks again now.

    Exit status: 0 ended by a signal, 2 could not do the work.
    """
    from reconciler.cli import controller as command  # noqa: PLC0415 - heavy
    from reconciler.telemetry.logs import configure  # noqa: PLC0415 - heavy

    configs = named_configs(ctx, configs)
    if "-" in configs:
        raise click.UsageError("a running controller cannot read standard input (-)", ctx)
    configure(ctx.obj.level, ctx.obj.form)
    return command.run(
        command.Options(
            configs=configs,
            choice=choice,
            http_address=http_address,
            interval=interval,
            lease_duration=lease_duration,
            pod_name=pod_name,
            config_object=config_object,
            state_dir=state_dir,
        )
    )


@click.command(cls=ReportingCommand)
@config_option
@cluster_options
@role_options
@click.option(
    "--node-name",
    envvar="NODE_NAME",
    required=True,
    help="The Kubernetes node that this runs on.  [env: NODE_NAME]",
)
@click.option(
    "--pod-ip",
    envvar="POD_IP",
    help="Address of the Pod that this runs in, which with the host's network is the node's: the other speakers reach "
    "this one there.  [env: POD_IP]",
)
@click.option(
    "--membership-bind",
    metavar="ADDRESS",
    help="Where to listen for other speakers; --pod-ip when absent. The port is in ReconcilerSettings.",
)
@click.option(
    "--seeds",
    metavar="ADDRESS[:PORT],...",
    default="",
    help="Where other speakers may be found, instead of their Pods.",
)
@click.option(
    "--ignore-exclude-lb",
    is_flag=True,
    help="Announce on nodes labelled node.kubernetes.io/exclude-from-external-load-balancers as well.",
)
@click.option(
    "--per-address-metrics", is_flag=True, help="Show metallb_speaker_announced, which has a series for each address."
)
@click.option(
    "--http-address",
    default="127.0.0.1:7472",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz, /readyz, /metrics and /status are served.",
)
@log_options
@click.pass_context
def speaker(
    ctx: click.Context,
    *,
    configs: tuple[str, ...],
    choice: ClusterChoice,
    node_name: str,
    pod_ip: str | None,
    membership_bind: str | None,
    seeds: str,
    ignore_exclude_lb: bool,
    per_address_metrics: bool,
    http_address: str,
    interval: float,
    pod_name: str | None,
    config_object: str | None,  # noqa: ARG001 - the controller says there what both have to say
    state_dir: str | None,
) -> int:
    """
    Make the network deliver the addresses of Services to this node, until ended by SIGTERM. SIGHUP looks again now.

    Needs the capability NET_RAW, with user id 0. One on every node.

    Exit status: 0 ended by a signal, 2 could not do the work.
    """
    from reconciler.cli import speaker as command  # noqa: PLC0415 - heavy
    from reconciler.telemetry.logs import configure  # noqa: PLC0415 - heavy

    configs = named_configs(ctx, configs)
    if "-" in configs:
        raise click.UsageError("a running speaker cannot read standard input (-)", ctx)
    configure(ctx.obj.level, ctx.obj.form)
    return command.run(
        command.Options(
            configs=configs,
            choice=choice,
            node=node_name,
            http_address=http_address,
            interval=interval,
            bind=membership_bind,
            seeds=tuple(filter(None, (seed.strip() for seed in seeds.split(",")))),
            ignore_exclude_label=ignore_exclude_lb,
            pod_name=pod_name,
            pod_ip=pod_ip,
            state_dir=state_dir,
            per_address_metrics=per_address_metrics,
        )
    )
