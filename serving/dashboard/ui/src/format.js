// Numbers, times and durations as people read them.
import { storage } from './api.js';

const integers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (n) => (n === undefined || n === null ? '–' : integers.format(Number(n)));

/** number shows about four digits; "NaN" of the API is no number. */
export function number(x, digits = 4) {
  if (x === null || x === undefined) return '–';
  const n = Number(x);
  if (!Number.isFinite(n)) return '–';
  if (n === 0) return '0';
  const a = Math.abs(n);
  if (a >= 100000) return integers.format(n);
  if (a < 0.0001) return n.toExponential(2);
  return String(Number(n.toPrecision(a >= 1000 ? 6 : digits)));
}

export const score = (x) => (Number.isFinite(Number(x)) && x !== null ? Number(x).toFixed(3).replace(/^(-?)0\./, '$1.') : '–');
export const percent = (x) => (Number.isFinite(Number(x)) ? `${(100 * x).toFixed(x !== 0 && Math.abs(x) < 0.1 ? 1 : 0)} %` : '–');

export function rate(x) {
  if (!Number.isFinite(x)) return '–';
  return x >= 100 ? integers.format(x) : String(Number(x.toPrecision(2)));
}

/** seconds reads a duration of the API, such as 1.5s. */
export const seconds = (d) => (d ? parseFloat(d) : 0);

/** span is a duration in its two greatest units. */
export function span(d) {
  let s = typeof d === 'number' ? d : seconds(d);
  if (!Number.isFinite(s)) return '–';
  if (s < 0) return `−${span(-s)}`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)} s`;
  const parts = [];
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]) {
    const n = Math.floor(s / size);
    if (n > 0 && parts.length < 2) parts.push(`${n} ${unit}`);
    else if (parts.length) break;
    s -= n * size;
  }
  return parts.join(' ');
}

/** levels and directions are what detectors on losses say. */
export const levels = { none: 'steady', warning: 'warning', drift: 'drift' };
export const directions = { up: 'became worse', down: 'became better' };

/** measures are what features are compared by. */
export const measures = {
  psi: 'Population stability index', jensen_shannon: 'Jensen–Shannon distance', ks: 'Kolmogorov–Smirnov distance',
  wasserstein: 'Wasserstein distance, in standard deviations of the reference,',
};

export const zone = { utc: storage.get('freshet.zone') !== 'local' };

export function setZone(utc) {
  zone.utc = utc;
  storage.set('freshet.zone', utc ? 'utc' : 'local');
}

export const zoneName = () => (zone.utc ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone || 'local time');

/** time is an instant of the API, or milliseconds; without seconds where they are 0. */
export function time(t, withZone = false) {
  if (!t) return '–';
  const d = new Date(t);
  if (Number.isNaN(d.getTime())) return '–';
  const text = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone.utc ? 'UTC' : undefined, year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit',
    ...(d.getUTCSeconds() ? { second: '2-digit' } : {}), hourCycle: 'h23',
  }).format(d);
  return withZone ? `${text} ${zoneName()}` : text;
}

/** dayTime is an instant without its year, for narrow places. */
export const dayTime = (t) => (t ? time(t).replace(/ \d{4},/, ',') : '–');

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${Number(n) === 1 ? one : many}`;
