import { type Frame, parseFrame, type Said, type Topic } from "./frame";

/** live: frames come. polling: the socket is refused, questions are asked instead. offline: nothing answers. */
export type LiveState = "connecting" | "live" | "polling" | "offline";

/** What the connection needs of the browser, so that tests can hold it. */
export interface Surroundings {
  ticket(): Promise<string>;
  open(topic: Topic, ticket: string): WebSocket;
  random(): number;
}

export interface Observer {
  state(state: LiveState): void;
  frame(frame: Frame): void;
  /** What was missed cannot be told: everything that is shown is read again. */
  resync(): void;
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;
/** The server's heart beats every 30 s; two beats without a sound, and the line is dead though nobody said so. */
const SILENCE = 70_000;

/** Full jitter: after an outage the pages of everybody come back spread over the whole wait. */
export function wait(attempt: number, random: number): number {
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempt, 10)) * random;
}

/** One socket for the page. It comes back by itself, and goes on after the last frame that it saw. */
export class Connection {
  private socket: WebSocket | null = null;
  private readonly topics = new Map<Topic, number>();
  private cursor: string | undefined;
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
    if (followers === 0) this.say({ action: "subscribe", topic });
    return () => {
      const left = (this.topics.get(topic) ?? 1) - 1;
      if (left > 0) {
        this.topics.set(topic, left);
        return;
      }
      this.topics.delete(topic);
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
    const socket = this.around.open("sessions", ticket);
    this.socket = socket;
    socket.onopen = () => this.opened();
    socket.onmessage = (message) => this.heard(String(message.data));
    socket.onclose = () => this.ended(socket);
    this.listen();
  }

  private opened() {
    for (const topic of this.topics.keys()) this.say({ action: "subscribe", topic, after: this.cursor });
    this.listen();
  }

  private heard(text: string) {
    this.listen();
    const frame = parseFrame(text);
    if (!frame) return;
    if (frame.cursor) this.cursor = frame.cursor;
    switch (frame.type) {
      case "connection.established":
      case "subscription.confirmed":
        this.attempt = 0;
        this.observer.state("live");
        break;
      case "heartbeat":
        this.say({ action: "pong" });
        break;
      case "resync":
        this.observer.resync();
        break;
      default:
        this.observer.frame(frame);
    }
  }

  private ended(socket: WebSocket) {
    if (this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    if (!this.closed) this.again();
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
