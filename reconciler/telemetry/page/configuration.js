// What stands above the tables: notices, the figures at a glance, and the configuration with its verdict.

import { announce, code, find, show, state } from "./dom.js";
import { counted, kindOfRevision, moment, number, time } from "./words.js";

const LEVELS = { passed: "ok", held: "warn", refused: "bad" };

function verdict(newest) {
  return state(newest.verdict ?? "not judged yet", LEVELS[newest.verdict] ?? "idle");
}

export function showIdentity({ controller }) {
  const role = controller.leading ? "leads" : `waits, ${controller.leader ?? "nobody"} leads`;
  const serves = controller.lbClass ? `, class ${controller.lbClass}` : "";
  show(find("identity"), [`Controller ${controller.identity}: ${role}${serves}, version ${controller.version}`]);
}

export function showGlance(view, facts, sessions) {
  const { counts, newest } = facts;
  const speakers = view.nodes.filter((node) => node.state !== null);
  const ready = speakers.filter((node) => node.state === "ready").length;
  const established = sessions.filter((row) => row.state === "established" && row.speaker !== "missing").length;
  show(find("glance"), [
    figure("Newest files", [verdict(newest)], "word"),
    figure("Services with an address", [of(counts.assigned, counts.services)]),
    figure("Services waiting", [number(counts.pending)], counts.pending > 0 ? "bad" : null),
    figure("Speakers ready", [of(ready, view.nodes.length)], ready < view.nodes.length ? "warn" : null),
    figure("BGP sessions", [of(established, sessions.length)], established < sessions.length ? "bad" : null),
  ]);
}

function figure(term, parts, level = null) {
  return { definition: [term, parts], class: level };
}

function of(some, all) {
  return `${number(some)} of ${number(all)}`;
}

export function showConfiguration(view, facts) {
  const { newest, revision, lastPass, cluster, stateDirProblem } = facts;
  const entries = [["In force", revision ? revisionParts(revision) : ["none"]]];
  if (newest.revision !== revision) {
    entries.push(["Newest files", newest.revision ? revisionParts(newest.revision) : ["cannot be read"]]);
  }
  entries.push(["Verdict on the newest", verdictParts(newest)]);
  if (lastPass.finishedAt) {
    entries.push(["Last pass", passParts(lastPass)]);
  }
  entries.push(["Cluster", clusterParts(cluster)]);
  if (stateDirProblem) {
    entries.push(["Kept for a restart", [state("no", "warn"), ` ${stateDirProblem}`]]);
  }
  show(find("configuration-facts"), entries.map((definition) => ({ definition })));
}

function revisionParts(revision) {
  return [code(revision), { text: ` ${kindOfRevision(revision)}`, class: "dim" }];
}

function verdictParts(newest) {
  const since = newest.since ? [" since ", moment(newest.since)] : [];
  // Why a plan is held stands above the plan.
  const why = newest.message && newest.verdict !== "held" ? [{ text: newest.message, class: "why" }] : [];
  return [verdict(newest), ...since, ...why];
}

function passParts({ finishedAt, durationSeconds, reasons, error }) {
  const parts = [moment(finishedAt), ` took ${Math.max(1, Math.round(durationSeconds * 1000))} ms`];
  if (reasons.length > 0) {
    parts.push({ text: `because of ${reasons.join("; ")}`, class: "why" });
  }
  return error ? [...parts, { as: "span", class: "why", parts: [state("failed", "bad"), ` ${error}`] }] : parts;
}

function clusterParts({ synced, awaySince, error }) {
  if (awaySince) {
    return [state("does not answer", "bad"), " since ", moment(awaySince), error ? `: ${error}` : ""];
  }
  return [synced ? state("followed", "ok") : state("not read yet", "warn")];
}

export function showHeldPlan(view, facts, table) {
  const { guard } = facts;
  find("held-plan").hidden = !guard.held;
  show(find("held-reason"), [guard.reason ? `Why it is held: ${guard.reason}` : ""]);
  find("held-approval").hidden = find("held-approval-text").hidden = !guard.digest;
  const approval = ["spec:", "  guard:", `    approvedPlan: ${guard.digest}`];
  show(find("held-approval"), approval.map((text) => ({ text, class: "line" })));
  table.fill(view.heldPlan ?? guard.affected.map((service) => ({ service, before: [], after: [], message: null, cause: null })));
}

export function showProblems({ problems }, table) {
  find("problems").hidden = problems.length === 0;
  table.fill(problems);
}

export function showNotices(view, facts) {
  const { newest, guard, problems, cluster } = facts;
  const notices = view.notes.map((text) => notice("warn", [text]));
  if (guard.held) {
    notices.push(notice("warn", ["A plan is held: ", { href: "#held-plan", text: "what it would do, and what approves it" }]));
  }
  if (newest.verdict === "refused") {
    const where = problems.length > 0 ? [": ", { href: "#problems", text: counted(problems.length, "problem") }] : [];
    notices.push(notice("bad", ["The newest files are refused", ...where, ...(problems.length > 0 ? [] : [`: ${newest.message ?? ""}`])]));
  }
  if (cluster.awaySince) {
    notices.push(notice("bad", [`The cluster does not answer since ${time(cluster.awaySince)}: what is shown is from then.`]));
  }
  if (!view.controller.leading) {
    notices.push(notice("idle", [followerText(view)]));
  }
  if (facts.cut) {
    notices.push(notice("warn", [facts.cut]));
  }
  show(find("notices"), notices);
}

function followerText({ leader, controller }) {
  const who = controller.leader ?? "nobody";
  return leader
    ? `This replica does not lead. Configuration and pools are what ${who} has published; only its own page lists Services.`
    : `This replica does not lead (${who} does), and nothing is known of the leader's state.`;
}

function notice(level, parts) {
  return { as: "p", class: `notice ${level}`, parts };
}

let before = null;

// For those who do not look: a new verdict, and the first Services that wait.
export function sayWhatIsNew({ newest, counts }) {
  const now = { verdict: `${newest.verdict} ${newest.revision}`, waits: counts.pending > 0 };
  if (before && now.verdict !== before.verdict && newest.verdict) {
    announce(`The newest files are ${newest.verdict}.`);
  } else if (before && now.waits !== before.waits) {
    announce(now.waits ? `${counted(counts.pending, "Service waits", "Services wait")} for an address.` : "No Service waits for an address any more.");
  }
  before = now;
}
