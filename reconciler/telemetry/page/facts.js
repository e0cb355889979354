// From the JSON of /view to the rows that are shown. No page is touched here.

import { some } from "./words.js";

const NAMED = 3;

// What stands for the cluster: our own facts while we lead, else those that the leader has published.
export function leading(view) {
  return view.controller.leading || !view.leader ? view.controller : view.leader;
}

export function serviceRows(view) {
  const announcers = new Map((view.announcers ?? []).map((row) => [row.service, row]));
  const sets = view.announcingNodeSets.map((nodes) => ({ nodes, shown: some(nodes, NAMED), all: nodes.join(" ") }));
  const canTell = view.announcers !== null;
  return (view.controller.services ?? []).map((row) => serviceRow(row, announcers.get(row.service), sets, canTell));
}

function serviceRow(service, announcer, sets, canTell) {
  const bgp = announcer && announcer.bgp !== null ? sets[announcer.bgp] : null;
  const l2 = announcer?.l2 ?? null;
  const row = { ...service, l2, bgp: bgp?.shown ?? null, ...standing(service, announcer, canTell) };
  const words = [row.service, ...row.addresses, row.pool, l2, bgp?.all, row.state, row.why.reason, row.why.message];
  row.text = words.filter(Boolean).join(" ").toLowerCase();
  row.order = row.addresses.map(sortable).join(" ");
  return row;
}

// A word for a Service, whether it wishes for something else than it has, and why it has not got what it lacks.
function standing(service, announcer, canTell) {
  const wish = { reason: service.reason, message: service.message };
  const unmet = service.reason !== null;
  if (service.addresses.length === 0) {
    return { state: "waiting", level: "bad", unmet, why: wish };
  }
  if (!canTell) {
    return { state: "assigned", level: unmet ? "warn" : "ok", unmet, why: wish };
  }
  if (!announcer || announcer.reason !== null) {
    const why = announcer ? { reason: announcer.reason, message: announcer.message } : wish;
    return { state: "not announced", level: "bad", unmet, why };
  }
  return { state: "announced", level: unmet ? "warn" : "ok", unmet, why: wish };
}

// IPv4 addresses in the order of their numbers, before IPv6.
function sortable(address) {
  return address.includes(":") ? `~${address}` : address.split(".").map((part) => part.padStart(3, "0")).join(".");
}

// `state` is a word of the list of states; every word of `filter` has to be somewhere in the row.
export function chosen(rows, filter, state) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(
    (row) =>
      (state === "" || row.state === state || (state === "unmet" && row.unmet)) &&
      words.every((word) => row.text.includes(word)),
  );
}

export function sessionRows(view) {
  return view.nodes.flatMap(({ node, state, sessions }) => sessions.map((session) => ({ ...session, node, speaker: state })));
}

export function trouble(session) {
  if (session.state !== "established") {
    return session.problem ?? session.lastError;
  }
  return session.problem ?? session.bfdProblem;
}

export function fill(assigned, available) {
  const size = assigned + available;
  const share = size > 0 ? assigned / size : 0;
  return { size, share, level: share >= 1 ? "bad" : share >= 0.9 ? "warn" : "ok" };
}
