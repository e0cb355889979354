// The tables of pools, Services, nodes and sessions: which facts stand in which column.

import { code, find, state } from "./dom.js";
import { fill, trouble } from "./facts.js";
import { Table } from "./table.js";
import { counted, moment, number, percent, place, shortRevision } from "./words.js";

export function poolsTable() {
  return new Table(find("pools-table"), {
    caption: "Pools and how full they are",
    nothing: "There is no pool.",
    key: (row) => row.pool,
    columns: [
      { label: "Pool", by: (row) => row.pool, cell: (row) => [row.pool] },
      {
        label: "IPv4",
        numeric: true,
        by: (row) => fill(row.assignedIPv4, row.availableIPv4).share,
        cell: (row) => filled(row.assignedIPv4, row.availableIPv4),
      },
      {
        label: "IPv6",
        numeric: true,
        by: (row) => fill(row.assignedIPv6, row.availableIPv6).share,
        cell: (row) => filled(row.assignedIPv6, row.availableIPv6),
      },
      { label: "Services", numeric: true, by: (row) => row.services, cell: (row) => [number(row.services)] },
    ],
  });
}

function filled(assigned, available) {
  const { size, share, level } = fill(assigned, available);
  if (size === 0) {
    return [{ text: "none", class: "dim" }];
  }
  const full = share >= 1 ? [state("full", level), " "] : share >= 0.9 ? [state("nearly full", level), " "] : [];
  return [
    ...full,
    { bar: share, level },
    { text: `${number(assigned)} of ${number(size)}`, class: "amount" },
    { text: percent(share), class: "percent" },
  ];
}

export function servicesTable() {
  return new Table(find("services-table"), {
    caption: "Services of type LoadBalancer",
    nothing: "There is no such Service.",
    key: (row) => row.service,
    columns: [
      { label: "Service", by: (row) => row.service, cell: (row) => [row.service] },
      { label: "Addresses", by: (row) => row.order, cell: (row) => [codes(row.addresses)] },
      { label: "Pool", by: (row) => row.pool ?? "", cell: (row) => [row.pool ?? nothing()] },
      { label: "Announced by", by: (row) => row.l2 ?? row.bgp ?? "", cell: announcedBy },
      { label: "State", by: (row) => row.state, cell: serviceState },
    ],
  });
}

function codes(texts) {
  return texts.length > 0 ? { lines: texts.map(code) } : nothing();
}

function nothing() {
  return { text: "none", class: "dim" };
}

function announcedBy(row) {
  const lines = [];
  if (row.l2) {
    lines.push([row.l2, { text: " ARP, NDP", class: "dim" }]);
  }
  if (row.bgp) {
    lines.push([row.bgp, { text: " BGP", class: "dim" }]);
  }
  return lines.length > 0 ? [{ lines }] : [nothing()];
}

function serviceState(row) {
  const parts = [state(row.state, row.level)];
  if (row.unmet && row.state === "announced") {
    parts.push({ text: "its wish is not met", class: "why" });
  }
  if (row.why.reason) {
    parts.push({ as: "span", class: "why", parts: [code(row.why.reason), row.why.message ? ` ${row.why.message}` : ""] });
  }
  return parts;
}

const SPEAKERS = { ready: "ok", "not ready": "bad", leaving: "warn", drained: "warn", missing: "bad" };

export function nodesTable(inForce) {
  return new Table(find("nodes-table"), {
    caption: "Nodes and their speakers",
    nothing: "No node is known.",
    key: (row) => row.node,
    columns: [
      { label: "Node", by: (row) => row.node, cell: (row) => [row.node] },
      {
        label: "Speaker",
        by: (row) => row.state ?? "",
        cell: (row) => [row.state ? state(row.state, SPEAKERS[row.state] ?? "warn") : state("no speaker", "idle")],
      },
      { label: "Configuration", by: (row) => row.revision ?? "", cell: (row) => revisionOf(row, inForce()) },
      {
        label: "ARP and NDP",
        numeric: true,
        by: (row) => row.addressesIPv4 + row.addressesIPv6,
        cell: (row) => (row.state ? [counted(row.addressesIPv4 + row.addressesIPv6, "address", "addresses")] : [nothing()]),
      },
      { label: "Sessions", numeric: true, by: (row) => row.sessions.length, cell: sessionsOf },
      { label: "Links", cell: linksOf },
      { label: "What is wrong", by: (row) => row.troubles.length, cell: (row) => (row.troubles.length > 0 ? [{ lines: row.troubles }] : []) },
    ],
  });
}

function revisionOf(row, inForce) {
  if (!row.revision) {
    return [nothing()];
  }
  const other = inForce && row.revision !== inForce ? [" ", state("another one", "warn")] : [];
  return [code(shortRevision(row.revision)), ...other];
}

function sessionsOf({ sessions }) {
  const established = sessions.filter((session) => session.state === "established").length;
  return sessions.length > 0 ? [`${number(established)} of ${number(sessions.length)}`] : [nothing()];
}

function linksOf({ links }) {
  const named = links.map((link) => [code(link.name), link.used && link.carrier ? "" : ` ${link.reason ?? "no carrier"}`]);
  return [named.length > 0 ? { lines: named } : nothing()];
}

export function sessionsTable() {
  return new Table(find("sessions-table"), {
    caption: "BGP sessions of all nodes",
    nothing: "No speaker has published a BGP session.",
    key: (row) => `${row.node} ${row.peer}`,
    columns: [
      { label: "Node", by: (row) => row.node, cell: (row) => [row.node] },
      { label: "Peer", by: (row) => row.peer, cell: (row) => [row.peer] },
      {
        label: "Remote end",
        by: (row) => row.remote,
        cell: (row) => [{ lines: [code(row.remote), ...remoteFacts(row)] }],
      },
      { label: "State", by: (row) => row.state, cell: (row) => [sessionState(row)] },
      { label: "Since", by: (row) => row.since ?? row.downSince ?? "", cell: sessionSince },
      { label: "Routes told", numeric: true, by: (row) => row.told, cell: (row) => [`${number(row.told)} of ${number(row.wanted)}`] },
      { label: "BFD", by: (row) => row.bfd ?? "", cell: (row) => [row.bfd ? state(row.bfd, row.bfd === "up" ? "ok" : "bad") : nothing()] },
      { label: "What is wrong", by: (row) => trouble(row) ?? "", cell: (row) => [trouble(row) ?? ""] },
    ],
  });
}

function remoteFacts({ remoteASN, vrf }) {
  const asn = remoteASN === null ? [] : [{ text: `AS ${remoteASN}`, class: "dim" }];
  return vrf ? [...asn, { text: `VRF ${vrf}`, class: "dim" }] : asn;
}

// What a dead speaker has published stays, and its sessions are no more than that.
function sessionState(row) {
  if (row.speaker === "missing") {
    return state(`${row.state}, as last published`, "warn");
  }
  return state(row.state, row.state === "established" ? "ok" : "bad");
}

function sessionSince(row) {
  const since = row.state === "established" ? row.since : row.downSince;
  return [since ? moment(since) : nothing()];
}

export function problemsTable() {
  return new Table(find("problems-table"), {
    caption: "Problems of the newest files",
    nothing: "There is none.",
    key: (row) => `${place(row)} ${row.code} ${row.message}`,
    columns: [
      { label: "Place", by: place, cell: (row) => [code(place(row))] },
      { label: "Severity", by: (row) => row.severity, cell: (row) => [state(row.severity, row.severity === "error" ? "bad" : "warn")] },
      { label: "Code", by: (row) => row.code, cell: (row) => [code(row.code)] },
      { label: "What is wrong", cell: problemText },
    ],
  });
}

function problemText({ message, related }) {
  return [{ lines: [message, ...related.map((other) => [code(place(other)), ` ${other.note}`])] }];
}

export function heldTable() {
  return new Table(find("held-table"), {
    caption: "What the held plan would do",
    nothing: "Which Services it is about is not known here: another controller has held it.",
    key: (row) => row.service,
    columns: [
      { label: "Service", by: (row) => row.service, cell: (row) => [row.service] },
      { label: "Addresses now", by: (row) => row.before.join(" "), cell: (row) => [codes(row.before)] },
      { label: "Addresses then", by: (row) => row.after.join(" "), cell: heldAfter },
      { label: "Why", by: (row) => row.message ?? "", cell: (row) => [row.message ?? ""] },
      { label: "Line", by: (row) => (row.cause ? place(row.cause) : ""), cell: (row) => [row.cause ? code(place(row.cause)) : nothing()] },
    ],
  });
}

function heldAfter(row) {
  return row.silenced ? [codes(row.after), state("not announced", "warn")] : [codes(row.after)];
}
