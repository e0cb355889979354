// Numbers, times and revisions as people read them. No page is touched here.

const NUMBER = new Intl.NumberFormat("en");
const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Beyond 2^53 a number of JSON is not exact here any more, and nobody would read it out.
export function number(value) {
  if (value <= Number.MAX_SAFE_INTEGER) {
    return NUMBER.format(value);
  }
  const [digits, power] = value.toExponential(1).split("e+");
  return `${digits} × 10${[...power].map((digit) => POWERS[digit]).join("")}`;
}

export function counted(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

// All of a share but what is really everything is less than 100 %.
export function percent(share) {
  if (share > 0 && share < 0.01) {
    return "<1%";
  }
  return `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))}%`;
}

export function age(seconds) {
  if (seconds < 1) {
    return "under 1 s";
  }
  if (seconds < 120) {
    return `${Math.floor(seconds)} s`;
  }
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

// To the second, in UTC: as in the logs.
export function time(text) {
  return `${text.slice(0, 10)} ${text.slice(11, 19)}\u00a0UTC`;
}

export function moment(text) {
  return { text: time(text), as: "time", datetime: text };
}

export function shortRevision(revision) {
  return revision.replace(/^sha256:/, "").slice(0, 12);
}

// Files that are exactly those of a commit have its name; any others that of a digest.
export function kindOfRevision(revision) {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(revision) ? "git commit" : "digest";
}

export function place({ path, line, column }) {
  return `${path}:${line}:${column}`;
}

export function some(names, most) {
  const more = names.length - most;
  return names.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
