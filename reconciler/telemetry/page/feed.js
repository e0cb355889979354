// Asks for the facts again and again, and knows how old they are. Stops while nobody can see the page.

const PERIOD = 2000;
const LONGEST_PAUSE = 15000;
const PATIENCE = 10000;

export class Feed {
  // `take` is given the facts when they are others than before; `told` is called with "begun" when they were read for
  // the first time, with "lost" when the connection goes, and with "back" when it comes again.
  constructor(url, take, told) {
    this.url = url;
    this.take = take;
    this.told = told;
    this.tag = null;
    this.readAt = null; // when the facts were those of the controller last; in ms of performance.now(), as all here
    this.lostAt = null;
    this.why = null;
    this.failures = 0;
    this.timer = null;
    this.request = null;
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.look()));
    window.addEventListener("online", () => this.look());
    this.look();
  }

  get isPaused() {
    return this.timer === null && this.request === null;
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.request?.abort();
    this.request = null;
  }

  async look() {
    this.pause();
    if (document.hidden) {
      return;
    }
    const request = new AbortController();
    this.request = request;
    const late = setTimeout(() => request.abort(), PATIENCE);
    try {
      await this.read(request.signal);
      this.found();
    } catch (error) {
      if (this.request === request) {
        this.failed(error);
      }
    } finally {
      clearTimeout(late);
    }
    // Another look, or a pause, may have begun meanwhile.
    if (this.request === request) {
      this.request = null;
      const pause = Math.min(PERIOD * 2 ** Math.max(0, this.failures - 1), LONGEST_PAUSE);
      this.timer = setTimeout(() => this.look(), pause);
    }
  }

  async read(signal) {
    const headers = this.tag ? { "If-None-Match": this.tag } : {};
    const answer = await fetch(this.url, { cache: "no-store", credentials: "same-origin", headers, signal });
    if (answer.status === 304) {
      return;
    }
    if (!answer.ok) {
      throw new Error(`the controller answers ${answer.status}`);
    }
    const facts = await answer.json();
    this.take(facts);
    this.tag = answer.headers.get("ETag");
  }

  found() {
    const isFirst = this.readAt === null;
    const wasLost = this.lostAt !== null;
    this.readAt = performance.now();
    this.lostAt = null;
    this.failures = 0;
    if (wasLost || isFirst) {
      this.told(wasLost ? "back" : "begun");
    }
  }

  failed(error) {
    this.failures += 1;
    this.why = error instanceof TypeError || error.name === "AbortError" ? "it does not answer" : error.message;
    if (this.lostAt === null) {
      this.lostAt = performance.now();
      this.told("lost");
    }
  }
}
