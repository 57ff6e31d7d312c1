import { type Frame, parseFrame, type Said, type Topic } from "./frame";

/** live: frames come. polling: the socket is refused, questions are asked instead. offline: nothing answers. */
export type LiveState = "connecting" | "live" | "polling" | "offline";

/** What the connection needs of the browser, so that tests can hold it. */
export interface Surroundings {
  ticket(): Promise<string>;
  open(topic: Topic, ticket: string, after?: string): WebSocket;
  random(): number;
}

export interface Observer {
  state(state: LiveState): void;
  frame(frame: Frame): void;
  /** What was missed cannot be told: everything that is shown is read again. */
  resync(): void;
  /** The credential is no longer good. */
  refused(): void;
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;
/** The server's heart beats every 30 s; three beats without a sound, and the line is dead though nobody said so. */
const SILENCE = 90_000;
/** What a connection opens with; the others are subscribed to once it stands. */
const FIRST: Topic = "/ws/sessions";
/** The close code of a credential that was revoked, has expired, or whose tenant is no more. */
const NO_LONGER_GOOD = 4401;

/** Full jitter: after an outage the pages of everybody come back spread over the whole wait. */
export function wait(attempt: number, random: number): number {
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempt, 10)) * random;
}

/** One socket for the page. It comes back by itself, and goes on in each topic after the last frame that it saw. */
export class Connection {
  private socket: WebSocket | null = null;
  private readonly topics = new Map<Topic, number>();
  private readonly cursors = new Map<string, string>();
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly around: Surroundings,
    private readonly observer: Observer,
  ) {}

  start() {
    this.observer.state("connecting");
    void this.connect();
  }

  stop() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** Tries at once: the network is back, or somebody asks. */
  hurry() {
    if (this.closed || this.socket) return;
    clearTimeout(this.timer);
    this.attempt = 0;
    void this.connect();
  }

  /** Listens to a topic until the returned function is called. */
  follow(topic: Topic): () => void {
    const followers = this.topics.get(topic) ?? 0;
    this.topics.set(topic, followers + 1);
    if (followers === 0 && topic !== FIRST) this.say({ action: "subscribe", topic });
    return () => {
      const left = (this.topics.get(topic) ?? 1) - 1;
      if (left > 0) {
        this.topics.set(topic, left);
        return;
      }
      this.topics.delete(topic);
      if (topic === FIRST) return;
      this.cursors.delete(topic);
      this.say({ action: "unsubscribe", topic });
    };
  }

  private async connect() {
    let ticket: string;
    try {
      ticket = await this.around.ticket();
    } catch {
      this.again();
      return;
    }
    if (this.closed) return;
    const socket = this.around.open(FIRST, ticket, this.cursors.get(FIRST));
    this.socket = socket;
    socket.onopen = () => this.opened();
    socket.onmessage = (message) => this.heard(String(message.data));
    socket.onclose = (closed) => this.ended(socket, closed.code);
    this.listen();
  }

  private opened() {
    for (const topic of this.topics.keys()) {
      if (topic !== FIRST) this.say({ action: "subscribe", topic, after: this.cursors.get(topic) });
    }
    this.listen();
  }

  private heard(text: string) {
    this.listen();
    const frame = parseFrame(text);
    if (!frame) return;
    if (frame.cursor && frame.topic) this.cursors.set(frame.topic, frame.cursor);
    switch (frame.type) {
      case "connection.established":
      case "subscription.confirmed":
        this.attempt = 0;
        this.observer.state("live");
        break;
      case "heartbeat":
        this.keep(frame.payload.cursors);
        this.say({ action: "pong" });
        break;
      case "resync":
        this.beginAnew(frame.payload.topic);
        this.observer.resync();
        break;
      case "subscription.ended":
      case "error":
        break;
      default:
        this.observer.frame(frame);
    }
  }

  /** Places up to which all was sent, also where nothing happened. */
  private keep(cursors: unknown) {
    for (const [topic, cursor] of Object.entries(cursors ?? {})) this.cursors.set(topic, String(cursor));
  }

  /** A subscription ended with what it could not tell: it begins anew from now, and what is shown is read. */
  private beginAnew(topic: unknown) {
    this.cursors.delete(String(topic));
    this.say({ action: "subscribe", topic: String(topic) as Topic });
  }

  private ended(socket: WebSocket, code: number) {
    if (this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    if (this.closed) return;
    if (code === NO_LONGER_GOOD) this.observer.refused();
    else this.again();
  }

  private again() {
    this.observer.state(globalThis.navigator?.onLine === false ? "offline" : "polling");
    this.timer = setTimeout(() => void this.connect(), wait(this.attempt, this.around.random()));
    this.attempt += 1;
  }

  private listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket?.close(), SILENCE);
  }

  private say(said: Said) {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(said));
  }
}
