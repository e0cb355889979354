"""Which documents hold objects of ours, and what is said about those that cannot be read."""

from typing import Any

import msgspec
import pytest

from reconciler.cluster.api_object import Place, objects_in
from reconciler.cluster.inventory import Inventory
from reconciler.cluster.port import ClusterError

WEB = b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"}}'
BARE = b'{"metadata":{"name":"web","namespace":"shop"}}'
NODE = b'{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}'


def kinds_in(text: bytes) -> list[str]:
    return [found.kind for found in objects_in(msgspec.Raw(text), Place("a.json"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(WEB, ["Service"], id="a single object"),
        pytest.param(b'{"kind":"Service","metadata":{"name":"a"}}', ["Service"], id="version left out"),
        pytest.param(b'{"apiVersion":"serving.knative.dev/v1","kind":"Service"}', [], id="a Service of another group"),
        pytest.param(b'{"apiVersion":"apps/v1","kind":"Deployment"}', [], id="another kind"),
        pytest.param(b'{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool"}', [], id="a configuration"),
        pytest.param(b'{"name":"a package"}', [], id="no object at all"),
        pytest.param(
            b'{"apiVersion":"v1","kind":"List","items":[%b,%b]}' % (WEB, NODE), ["Service", "Node"], id="List"
        ),
        pytest.param(b'{"apiVersion":"v1","kind":"ServiceList","items":[%b]}' % BARE, ["Service"], id="a typed list"),
        pytest.param(
            b'{"apiVersion":"v1","kind":"ServiceList","items":[%b]}' % WEB, ["Service"], id="with typed items"
        ),
        pytest.param(b'{"apiVersion":"v1","kind":"ServiceList","items":null}', [], id="a list of nothing"),
        pytest.param(b'{"apiVersion":"v1","kind":"ServiceList"}', [], id="a list without items"),
        pytest.param(
            b'{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSliceList","items":[%b]}' % BARE,
            ["EndpointSlice"],
            id="a typed list of another group",
        ),
        pytest.param(b'{"apiVersion":"v1","kind":"PodList","items":[%b]}' % BARE, [], id="a list of another kind"),
        pytest.param(
            b'{"apiVersion":"serving.knative.dev/v1","kind":"ServiceList","items":[%b]}' % BARE,
            [],
            id="a list of Services of another group",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[%b]}]}' % NODE,
            ["Node"],
            id="a list in a list",
        ),
        pytest.param(b"\n [%b,%b]" % (WEB, NODE), ["Service", "Node"], id="an array, as jq makes them"),
        pytest.param(b"[]", [], id="an empty array"),
    ],
)
def test_objects_in(text: bytes, expected: list[str]) -> None:
    assert kinds_in(text) == expected


def service_with(text: str) -> bytes:
    return b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},%b}' % text.encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            service_with('"spec":{"ports":[{"port":80},{"port":"http"}]}'),
            "a.json: Service shop/web: spec.ports[1].port: expected `int`, got `str`",
            id="a field of a port",
        ),
        pytest.param(
            service_with('"spec":{"ports":[{}]}'),
            "a.json: Service shop/web: spec.ports[0]: object missing required field `port`",
            id="a port without a number",
        ),
        pytest.param(
            service_with('"spec":{"selector":{"app":7}}'),
            "a.json: Service shop/web: spec.selector: expected `str`, got `int`",
            id="a value of a map",
        ),
        pytest.param(
            service_with('"spec":{"ipFamilyPolicy":"Dual"}'),
            "a.json: Service shop/web: spec.ipFamilyPolicy: invalid enum value 'Dual'",
            id="an unknown word",
        ),
        pytest.param(
            service_with('"spec":[]'),
            "a.json: Service shop/web: spec: expected `object | null`, got `array`",
            id="a list for an object",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","annotations":{"metallb.io/x":1}}}',
            "a.json: Service web: metadata.annotations: expected `str`, got `int`",
            id="an annotation that is no text",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop"}}',
            "a.json: Service shop: metadata.name is missing",
            id="no name",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","generateName":"web-"}}',
            "a.json: Service shop/web-: metadata.name is missing",
            id="a name still to be made",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"a/b"}}',
            "a.json: Service a/b: a name cannot hold a slash",
            id="a name that is a path",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service"}',
            "a.json: Service: object missing required field `metadata`",
            id="no metadata",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"ServiceList","items":{}}',
            "a.json: ServiceList: expected `array | null`, got `object`",
            id="items that are no list",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":"hunter2"}',
            "a.json: Secret s: data: expected `object | null`, got `str`",
            id="a Secret, of which nothing is quoted",
        ),
        pytest.param(
            b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"\xff"}}', "a.json: ", id="octets that are no text"
        ),
    ],
)
def test_what_cannot_be_read_is_named(text: bytes, message: str) -> None:
    with pytest.raises(ClusterError) as caught:
        list(map(Inventory().add, objects_in(msgspec.Raw(text), Place("a.json"))))
    assert str(caught.value).startswith(message)
    assert "hunter2" not in str(caught.value)


def test_a_place_that_knows_lines_is_asked_for_the_field() -> None:
    asked: list[Any] = []

    def locate(pointer: tuple[str | int, ...]) -> str:
        asked.append(pointer)
        return "a.yaml:7:3"

    text = b'{"apiVersion":"v1","kind":"List","items":[%b]}' % service_with('"spec":{"ports":[{"port":"x"}]}')
    (found,) = objects_in(msgspec.Raw(text), Place("a.yaml", locate))
    with pytest.raises(ClusterError, match=r"^a\.yaml:7:3: Service shop/web: spec\.ports\[0\]\.port"):
        Inventory().add(found)
    assert asked == [("items", 0, "spec", "ports", 0, "port")]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param("b.json", "b.json: Service shop/web: written in a.json as well: keep one", id="in two files"),
        pytest.param("a.json", "a.json: Service shop/web: written twice in this file: keep one", id="in one file"),
    ],
)
def test_an_object_is_written_once(second: str, message: str) -> None:
    inventory = Inventory()
    (one,) = objects_in(msgspec.Raw(WEB), Place("a.json"))
    (other,) = objects_in(msgspec.Raw(WEB), Place(second))
    inventory.add(one)
    with pytest.raises(ClusterError) as caught:
        inventory.add(other)
    assert str(caught.value) == message


def test_a_node_and_a_namespace_may_have_one_name() -> None:
    inventory = Inventory()
    for text in (NODE, NODE.replace(b"Node", b"Namespace")):
        for found in objects_in(msgspec.Raw(text), Place("a.json")):
            inventory.add(found)
    assert list(inventory.observed(namespace="lb").namespaces) == ["n"]
