/** Figures and times as people read them. */

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

const SHORT: Partial<Record<Intl.RelativeTimeFormatUnit, string>> = {
  year: "y",
  month: "mo",
  day: "d",
  hour: "h",
  minute: "min",
};

/** How long ago, or in how long: `12 s ago`, `in 3 h`. */
export function relative(at: string | number | Date, now = Date.now()): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return "now";
  const [unit, length] = UNITS.find(([, length]) => size >= length) ?? ["second", 1];
  const text = `${Math.floor(size / length)} ${SHORT[unit] ?? "s"}`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

export function exact(at: string | number | Date): string {
  const date = new Date(at);
  return `${date.toLocaleDateString(undefined, { dateStyle: "medium" })}, ${date.toLocaleTimeString(undefined, { timeStyle: "long" })}`;
}

/** A length of time: `840 ms`, `9.3 s`, `4 m 05 s`, `2 h 10 m`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function count(number: number): string {
  return number.toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** A large figure in few places: `999`, `4.2k`, `1.3M`. */
export function compact(number: number): string {
  if (number < 1000) return String(number);
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })
    .format(number)
    .replace("K", "k");
}

/** Dollars, as the API writes them (a decimal text), with at least cents and no false precision. */
export function usd(amount: string | number): string {
  const value = Number(amount);
  if (value === 0) return "$0";
  if (value < 0.01) return `$${value.toFixed(4)}`;
  return `$${value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US")}`;
}

export function percent(share: number, places = 0): string {
  return `${(share * 100).toFixed(places)}%`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** The part of an id that tells it from its neighbours: ids begin with the time, and end at random. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** `partially_completed` as words. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}
