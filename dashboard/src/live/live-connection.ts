import { type ClientMessage, type Frame, type LiveState, parseFrame, type Topic } from "@/api/live-frame";

/** What the connection needs from the browser. Tests replace it. */
export interface ConnectionEnvironment {
  ticket(): Promise<string>;
  open(topic: Topic, ticket: string, after?: string): WebSocket;
  random(): number;
}

export interface ConnectionObserver {
  state(state: LiveState): void;
  frame(frame: Frame): void;
  /** Frames were lost: everything that is shown has to be read again. */
  resync(): void;
  /** The credential is no longer accepted. */
  refused(): void;
}

const RECONNECT_DELAY_INITIAL = 1_000;
const RECONNECT_DELAY_MAX = 60_000;
/** The server sends a heartbeat every 30 s. After three missed ones, the connection is considered dead. */
const HEARTBEAT_TIMEOUT = 90_000;
/** The topic that a socket is opened with. The others are subscribed to afterwards. */
const INITIAL_TOPIC: Topic = "/ws/sessions";
/** The close code for a credential that was revoked or has expired, or whose tenant is inactive. */
const CLOSE_UNAUTHORIZED = 4401;

/** Exponential back-off with full jitter, in milliseconds, so that pages do not all reconnect at once. */
export function reconnectDelay(attempt: number, random: number): number {
  return Math.min(RECONNECT_DELAY_MAX, RECONNECT_DELAY_INITIAL * 2 ** Math.min(attempt, 10)) * random;
}

/** The one socket of the page. It reconnects by itself, and resumes each topic after the last received frame. */
export class LiveConnection {
  private socket: WebSocket | null = null;
  private readonly topics = new Map<Topic, number>();
  private readonly cursors = new Map<string, string>();
  private attempt = 0;
  private reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  private heartbeatTimer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly environment: ConnectionEnvironment,
    private readonly observer: ConnectionObserver,
  ) {}

  start() {
    this.observer.state("connecting");
    void this.connect();
  }

  stop() {
    this.closed = true;
    clearTimeout(this.reconnectTimer);
    clearTimeout(this.heartbeatTimer);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** Reconnects without waiting, for example when the network is back. */
  reconnectNow() {
    if (this.closed || this.socket) return;
    clearTimeout(this.reconnectTimer);
    this.attempt = 0;
    void this.connect();
  }

  /** Subscribes to a topic until the returned function is called. */
  follow(topic: Topic): () => void {
    const followers = this.topics.get(topic) ?? 0;
    this.topics.set(topic, followers + 1);
    if (followers === 0 && topic !== INITIAL_TOPIC) this.send({ action: "subscribe", topic });
    return () => {
      const left = (this.topics.get(topic) ?? 1) - 1;
      if (left > 0) {
        this.topics.set(topic, left);
        return;
      }
      this.topics.delete(topic);
      if (topic === INITIAL_TOPIC) return;
      this.cursors.delete(topic);
      this.send({ action: "unsubscribe", topic });
    };
  }

  private async connect() {
    let ticket: string;
    try {
      ticket = await this.environment.ticket();
    } catch {
      this.scheduleReconnect();
      return;
    }
    if (this.closed) return;
    const socket = this.environment.open(INITIAL_TOPIC, ticket, this.cursors.get(INITIAL_TOPIC));
    this.socket = socket;
    socket.onopen = () => this.handleOpen();
    socket.onmessage = (message) => this.handleMessage(String(message.data));
    socket.onclose = (closed) => this.handleClose(socket, closed.code);
    this.restartHeartbeatTimer();
  }

  private handleOpen() {
    for (const topic of this.topics.keys()) {
      if (topic !== INITIAL_TOPIC) this.send({ action: "subscribe", topic, after: this.cursors.get(topic) });
    }
    this.restartHeartbeatTimer();
  }

  private handleMessage(text: string) {
    this.restartHeartbeatTimer();
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
        this.storeCursors(frame.payload.cursors);
        this.send({ action: "pong" });
        break;
      case "resync":
        this.restartTopic(frame.payload.topic);
        this.observer.resync();
        break;
      case "subscription.ended":
      case "error":
        break;
      default:
        this.observer.frame(frame);
    }
  }

  /** Stores the cursors of a heartbeat, which also advance in quiet topics. */
  private storeCursors(cursors: unknown) {
    for (const [topic, cursor] of Object.entries(cursors ?? {})) this.cursors.set(topic, String(cursor));
  }

  /** Subscribes again from now, after the server could not deliver all frames of a topic. */
  private restartTopic(topic: unknown) {
    this.cursors.delete(String(topic));
    this.send({ action: "subscribe", topic: String(topic) as Topic });
  }

  private handleClose(socket: WebSocket, code: number) {
    if (this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.heartbeatTimer);
    if (this.closed) return;
    if (code === CLOSE_UNAUTHORIZED) this.observer.refused();
    else this.scheduleReconnect();
  }

  private scheduleReconnect() {
    this.observer.state(globalThis.navigator?.onLine === false ? "offline" : "polling");
    this.reconnectTimer = setTimeout(
      () => void this.connect(),
      reconnectDelay(this.attempt, this.environment.random()),
    );
    this.attempt += 1;
  }

  private restartHeartbeatTimer() {
    clearTimeout(this.heartbeatTimer);
    this.heartbeatTimer = setTimeout(() => this.socket?.close(), HEARTBEAT_TIMEOUT);
  }

  private send(said: ClientMessage) {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(said));
  }
}
