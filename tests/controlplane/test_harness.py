import ssl

import pytest
import urllib3

from tests.controlplane.api import Api, ApiError, path_of
from tests.controlplane.harness import USERS, ControlPlane


def test_a_service_without_anybody_who_cares_stays_pending(api: Api, namespace: str, lb_class: str) -> None:
    created = api.create_service(namespace, "web", loadBalancerClass=lb_class)
    assert created["spec"]["loadBalancerClass"] == lb_class
    assert api.ingress(namespace, "web") == []
    api.patch_status(namespace, "web", {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    assert api.ingress(namespace, "web") == ["192.0.2.1"]
    api.delete("services", namespace, "web")
    assert api.find("services", namespace, "web") is None


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
def test_only_the_administrator_may_create(control_plane: ControlPlane, namespace: str, user: str) -> None:
    client = control_plane.api(user)
    with pytest.raises(ApiError) as refused:
        client.create_service(namespace, "web")
    client.close()
    assert refused.value.status == 403
    assert [event["user"]["username"] for event in control_plane.audited(user)][-1:] == [USERS[user][0]]


def test_the_certificate_satisfies_the_strictest_client(control_plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(control_plane.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with urllib3.PoolManager(ssl_context=context) as pool:
        assert pool.request("GET", f"{control_plane.url}/readyz").status == 200


def test_a_killed_server_refuses_and_comes_back_with_everything(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.api()
    api.create_service("default", "web")
    own_control_plane.kill_apiserver()
    with pytest.raises(urllib3.exceptions.HTTPError):
        api.get("services", "default", "web")
    own_control_plane.start_apiserver()
    assert api.get("services", "default", "web")["metadata"]["name"] == "web"
    api.close()


def test_a_server_without_its_store_does_not_write(own_control_plane: ControlPlane) -> None:
    api, hasty = own_control_plane.api(), own_control_plane.api(patience=0.5)
    own_control_plane.stop_etcd()
    with pytest.raises((ApiError, urllib3.exceptions.HTTPError)):
        hasty.create_service("default", "web")
    own_control_plane.start_etcd()
    # The request above may still have been carried out.
    api.create_service("default", "another")
    api.close()
    hasty.close()


def test_a_server_comes_back_older_or_empty(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.api()
    api.create_service("default", "early")
    snapshot = own_control_plane.snapshot()
    # Many more versions than a server that starts writes by itself.
    for number in range(50):
        late = api.create_service("default", f"late-{number}")
    own_control_plane.restore(snapshot)
    assert api.find("services", "default", "late-0") is None
    assert api.find("services", "default", "early") is not None
    newest = api.request("GET", path_of("services"))["metadata"]["resourceVersion"]
    assert int(newest) < int(late["metadata"]["resourceVersion"])
    own_control_plane.wipe()
    assert api.find("services", "default", "early") is None
    api.close()


def test_a_server_that_forgot_its_history_ends_old_watches(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.api()
    old = api.create_service("default", "old")["metadata"]["resourceVersion"]
    api.create_service("default", "new")
    own_control_plane.forget_history()
    event = api.request("GET", f"{path_of('services')}?watch=1&resourceVersion={old}&timeoutSeconds=5")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    with pytest.raises(ApiError) as refused:
        api.objects("services", resourceVersion=old, resourceVersionMatch="Exact")
    assert refused.value.status == 410
    api.close()
