/** Formats numbers, times and names for people. */

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

/** A time relative to now: `12 s ago`, `in 3 h`. */
export function formatRelativeTime(at: string | number | Date, now = Date.now()): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return "now";
  const [unit, length] = UNITS.find(([, length]) => size >= length) ?? ["second", 1];
  const text = `${Math.floor(size / length)} ${SHORT[unit] ?? "s"}`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

export function formatExactTime(at: string | number | Date): string {
  const date = new Date(at);
  return `${date.toLocaleDateString(undefined, { dateStyle: "medium" })}, ${date.toLocaleTimeString(undefined, { timeStyle: "long" })}`;
}

/** A duration: `840 ms`, `9.3 s`, `4 m 05 s`, `2 h 10 m`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function formatCount(number: number): string {
  return number.toLocaleString("en-US").replaceAll(",", "\u202f");
}

/** A large number in few digits: `999`, `4.2k`, `1.3M`. */
export function formatCompact(number: number): string {
  if (number < 1000) return String(number);
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })
    .format(number)
    .replace("K", "k");
}

/** Dollars, with at least cents and without false precision. The API sends amounts as decimal text. */
export function formatUsd(amount: string | number): string {
  const value = Number(amount);
  if (value === 0) return "$0";
  if (value < 0.01) return `$${value.toFixed(4)}`;
  return `$${value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US")}`;
}

export function formatPercent(share: number, places = 0): string {
  return `${(share * 100).toFixed(places)}%`;
}

export function formatBytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** The end of an id. Ids start with a time, so neighbours differ only in their random end. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** `partially_completed` as words. */
export function formatWords(name: string): string {
  return name.replaceAll("_", " ");
}
