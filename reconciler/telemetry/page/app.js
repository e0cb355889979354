// The page: asks for the facts, and shows them.

import { announce, find, show, state } from "./dom.js";
import { sayWhatIsNew, showConfiguration, showGlance, showHeldPlan, showIdentity, showNotices, showProblems } from "./configuration.js";
import { chosen, leading, serviceRows, sessionRows } from "./facts.js";
import { Feed } from "./feed.js";
import { heldTable, nodesTable, poolsTable, problemsTable, servicesTable, sessionsTable } from "./sections.js";
import { age } from "./words.js";

let inForce = null;
let services = [];
const tables = {
  held: heldTable(),
  problems: problemsTable(),
  pools: poolsTable(),
  services: servicesTable(),
  nodes: nodesTable(() => inForce),
  sessions: sessionsTable(),
};
const filter = find("services-filter");
const stateFilter = find("services-state");

function take(view) {
  const facts = leading(view);
  const sessions = sessionRows(view);
  inForce = facts.revision;
  services = serviceRows(view);
  showIdentity(view);
  showNotices(view, facts);
  showGlance(view, facts, sessions);
  showConfiguration(view, facts);
  showHeldPlan(view, facts, tables.held);
  showProblems(facts, tables.problems);
  tables.pools.fill(facts.pools);
  tables.services.fill(chosenServices());
  tables.nodes.fill(view.nodes);
  tables.sessions.fill(sessions);
  document.title = `${titleOf(facts)}LB Reconciler`;
  sayWhatIsNew(facts);
}

function titleOf({ newest, counts }) {
  if (newest.verdict === "held" || newest.verdict === "refused") {
    return `${newest.verdict} \u2013 `;
  }
  return counts.pending > 0 ? `${counts.pending} waiting \u2013 ` : "";
}

function chosenServices() {
  return chosen(services, filter.value, stateFilter.value);
}

function filterServices() {
  const rows = chosenServices();
  tables.services.fill(rows, { begin: true });
  announce(`${rows.length} of ${services.length} Services`);
}

filter.addEventListener("input", filterServices);
stateFilter.addEventListener("change", filterServices);

const news = {
  lost: "The connection to the controller is lost.",
  back: "The controller answers again.",
};
const feed = new Feed("view", take, (what) => {
  if (what in news) {
    announce(news[what]);
  }
  showConnection();
});

// Once a second, and not said aloud.
function showConnection() {
  const now = performance.now();
  const since = feed.readAt === null ? null : (now - feed.readAt) / 1000;
  const seen = since === null ? "nothing was read yet" : `facts are ${age(since)} old`;
  document.body.classList.toggle("stale", feed.lostAt !== null);
  if (feed.lostAt !== null) {
    const gone = age((now - feed.lostAt) / 1000);
    show(find("connection"), [state(`no connection for ${gone}`, "bad"), ` ${feed.why}, ${seen}`]);
  } else if (document.hidden || since === null) {
    show(find("connection"), [state(since === null ? "reading" : "paused", "idle"), ` ${seen}`]);
  } else {
    show(find("connection"), [state("live", "ok"), ` ${seen}`]);
  }
}

feed.start();
showConnection();
setInterval(showConnection, 1000);
