// Charts: uPlot for lines over event time, SVG for histograms and calibration. Each has a caption, a label that says what it shows, and a table.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import { number, percent, score, time, zone } from './format.js';
import { Table } from './ui.jsx';

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** styleOf tells the lines of a chart apart by colour (Okabe and Ito's), dash and width. */
export function styleOf(i, faint) {
  const dashes = [[], [], [8, 4], [3, 3], [10, 3, 3, 3], [], [8, 4], [3, 3]];
  return { color: `--line-${(i % 7) + 1}`, dash: faint ? [2, 4] : dashes[i % 8], width: i === 0 ? 2.5 : 1.5 };
}

/** Figure frames a drawing: its caption, and its numbers as a table. */
export function Figure({ caption, label, table, children, readout }) {
  return (
    <figure>
      <div role="img" aria-label={label}>{children}</div>
      {readout}
      <figcaption>{caption}</figcaption>
      {table && (
        <details><summary>Show as a table</summary>{table}</details>
      )}
    </figure>
  );
}

/**
 * Lines draws series over event time. series: {name, points: [[seconds, value]], band?: [[low, high]], style}. marks: {at, rose, warning}, what detector said. limit is a
 * horizontal line. The axis is of what is near the first series, without the most extreme two of a hundred values; the table has all.
 */
export function Lines({ caption, label, series, marks = [], detector, limit, limitName, theme, format = score }) {
  const box = useRef(null);
  const [under, setUnder] = useState(null);
  const key = JSON.stringify([series.map((s) => [s.name, s.style, s.points, s.band]), marks, limit, theme, zone.utc]);
  useEffect(() => {
    if (!series.length) return undefined;
    const { data, at } = align(series);
    const plot = new uPlot(options(box.current, series, at, data, marks, limit, setUnder), data, box.current);
    const sized = new ResizeObserver(() => {
      const w = box.current?.clientWidth;
      if (w && Math.abs(w - plot.width) > 1) plot.setSize({ width: w, height: heightFor(w) });
    });
    sized.observe(box.current);
    return () => { sized.disconnect(); plot.destroy(); };
  }, [key]);
  const { data } = align(series);
  const rows = data[0].map((t, i) => [time(t * 1000), ...series.map((s) => format(valueAt(s, t)))]).reverse();
  return (
    <Figure caption={caption} label={label}
      readout={<p class="readout" aria-hidden="true">{under === null ? ' ' : `${time(data[0][under] * 1000)}: ${series.map((s) => `${s.name} ${format(valueAt(s, data[0][under]))}`).join(' · ')}`}</p>}
      table={<>
        <Table caption={label} hideCaption head={['From', ...series.map((s) => s.name)]} right={series.map((_, i) => i + 1)} rows={rows} />
        {limit !== undefined && <p>{limitName}: {number(limit)}</p>}
        {marks.length > 0 && <Table caption={`Changes of the mean loss, and warnings of them, by ${detector}`} head={['Event time', 'Level', 'Direction']}
          rows={marks.map((m) => [time(m.at * 1000), m.warning ? 'warning' : 'drift', m.rose ? `${m.warning ? '△' : '▲'} became worse` : `${m.warning ? '▽' : '▼'} became better`])} />}
      </>}>
      <div ref={box} class="plot" />
    </Figure>
  );
}

const heightFor = (w) => Math.max(200, Math.min(320, Math.round(w * 0.42)));

function valueAt(s, t) {
  s.index ??= new Map(s.points.map(([at, v]) => [at, v]));
  return s.index.get(t) ?? null;
}

/** align puts the points of all series on one axis, as uPlot wants them: bands are two hidden series behind the first. */
function align(series) {
  const times = [...new Set(series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
  const data = [times];
  const at = [];
  for (const s of series) {
    at.push(data.length);
    const index = new Map(s.points.map((p, i) => [p[0], i]));
    const of = (f) => times.map((t) => { const i = index.get(t); const v = i === undefined ? null : f(i); return Number.isFinite(v) ? v : null; });
    data.push(of((i) => s.points[i][1]));
    if (s.band) data.push(of((i) => s.band[i][0]), of((i) => s.band[i][1]));
  }
  return { data, at };
}

const sorted = (list) => list.filter((v) => v !== null).sort((a, b) => a - b);
const median = (list) => sorted(list)[Math.floor(list.length / 2)] ?? 0;

/** range is of what is near the first series: one that is far off must not flatten the others. */
function range(series, data, at, limit) {
  const own = Math.abs(median(data[at[0]]));
  const near = series.map((_, i) => data[at[i]]).filter((d) => !own || Math.abs(median(d)) < 2.5 * own);
  const all = sorted(near.flat());
  if (!all.length) return [0, 1];
  let lo = all[Math.floor(0.02 * (all.length - 1))], hi = all[Math.ceil(0.98 * (all.length - 1))];
  if (limit !== undefined) { lo = Math.min(lo, limit); hi = Math.max(hi, limit); }
  const pad = (hi - lo || Math.abs(hi) || 1) * 0.12;
  return [lo >= 0 ? Math.max(0, lo - pad) : lo - pad, hi + pad];
}

function options(box, series, at, data, marks, limit, under) {
  const ink = css('--muted'), line = css('--line');
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '12px system-ui, sans-serif' };
  const plotted = [{}];
  const bands = [];
  series.forEach((s, i) => {
    plotted.push({ label: s.name, stroke: css(s.style.color), width: s.style.width, dash: s.style.dash, spanGaps: true, points: { show: s.points.length < 3 } });
    if (s.band) {
      plotted.push({ stroke: 'transparent', points: { show: false }, spanGaps: true }, { stroke: 'transparent', points: { show: false }, spanGaps: true });
      bands.push({ series: [at[i] + 2, at[i] + 1], fill: `${css(s.style.color)}2b` });
    }
  });
  const y = range(series, data, at, limit);
  return {
    width: box.clientWidth || 600, height: heightFor(box.clientWidth || 600), series: plotted, bands, legend: { show: false },
    tzDate: (t) => (zone.utc ? uPlot.tzDate(new Date(t * 1e3), 'Etc/UTC') : new Date(t * 1e3)),
    scales: { x: { time: true }, y: { range: () => y } },
    axes: [{ ...axis, values: timeLabels, space: 70, size: 32 }, { ...axis, size: 48, values: (_, v) => v.map((x) => number(x, 3)) }],
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
    hooks: {
      setCursor: [(u) => under(u.cursor.idx ?? null)],
      draw: [(u) => drawMarks(u, marks), (u) => drawLimit(u, limit)],
    },
  };
}

/** timeLabels are short: days where the axis spans days, else hours. */
function timeLabels(u, splits) {
  const days = splits.length > 1 && splits[1] - splits[0] >= 86400;
  const f = new Intl.DateTimeFormat('en-GB', { timeZone: zone.utc ? 'UTC' : undefined, day: 'numeric', month: 'short', ...(days ? {} : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }) });
  return splits.map((s) => f.format(new Date(s * 1000)));
}

function drawMarks(u, marks) {
  const { ctx, bbox } = u;
  const dpr = window.devicePixelRatio || 1;
  ctx.save();
  const drawn = {};
  for (const m of marks) {
    const x = u.valToPos(m.at, 'x', true);
    const kind = `${m.rose} ${m.warning}`;
    if (Math.abs(x - (drawn[kind] ?? -1e9)) < 9 * dpr) continue; // one sign for those that would lie on each other
    drawn[kind] = x;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = css(m.rose ? '--bad' : '--ok');
    if (m.rose && !m.warning) {
      ctx.globalAlpha = 0.3;
      ctx.setLineDash([2 * dpr, 4 * dpr]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + 8 * dpr);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.globalAlpha = 1;
    }
    const s = 4 * dpr, top = bbox.top + (m.rose ? 0 : 8 * dpr), dir = m.rose ? 1 : -1;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x - s, top + dir * 7 * dpr);
    ctx.lineTo(x + s, top + dir * 7 * dpr);
    if (m.warning) {
      ctx.setLineDash([]);
      ctx.lineWidth = dpr;
      ctx.closePath();
      ctx.stroke();
    } else {
      ctx.fill();
    }
  }
  ctx.restore();
}

function drawLimit(u, limit) {
  if (limit === undefined) return;
  const { ctx, bbox } = u;
  const y = u.valToPos(limit, 'y', true);
  ctx.save();
  ctx.strokeStyle = css('--bad');
  ctx.setLineDash([6, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Histogram compares the shares of examples in each bin: the reference as outlines, now as filled bars. */
export function Histogram({ feature }) {
  const total = (list) => list.reduce((a, b) => a + b, 0) || 1;
  const n = total(feature.reference), m = total(feature.current);
  const before = feature.reference.map((c) => c / n), now = feature.current.map((c) => c / m);
  const names = binNames(feature);
  const top = Math.max(...before, ...now, 0.05);
  const w = 100 / names.length;
  const y = (v) => 100 - (100 * v) / top;
  const widest = before.map((b, i) => [Math.abs(now[i] - b), i]).sort((a, b) => b[0] - a[0])[0]?.[1] ?? 0;
  return (
    <Figure
      caption={<>Share of examples in each bin. <span class="key now" aria-hidden="true" /> newest finished window ({number(m)} examples) · <span class="key before" aria-hidden="true" /> reference ({number(n)}, the first examples). {feature.categorical ? 'Bins are the most frequent values of the reference, known by their hashes.' : 'Bins are tenths of the reference.'}</>}
      label={`Distribution of ${feature.name}: the greatest difference is in the bin ${names[widest]}, ${percent(before[widest])} in the reference and ${percent(now[widest])} now.`}
      table={<Table caption={`Distribution of ${feature.name}`} hideCaption head={['Bin', 'Reference', 'Now']} right={[1, 2]} rows={names.map((b, i) => [b, percent(before[i]), percent(now[i])])} />}>
      <svg class="histogram" viewBox="0 0 100 104" preserveAspectRatio="none" aria-hidden="true">
        <line x1="0" x2="100" y1="100" y2="100" class="base" vector-effect="non-scaling-stroke" />
        {names.map((b, i) => (
          <g key={b + i}>
            <rect class="now" x={i * w + w * 0.16} width={w * 0.68} y={y(now[i])} height={Math.max(100 - y(now[i]), 0)} />
            <rect class="before" x={i * w + w * 0.06} width={w * 0.88} y={y(before[i])} height={Math.max(100 - y(before[i]), 0)} vector-effect="non-scaling-stroke" />
          </g>
        ))}
      </svg>
      <div class="bins" aria-hidden="true">{names.map((b, i) => <span key={b + i} title={b}>{short(b)}</span>)}</div>
    </Figure>
  );
}

const short = (b) => b.split(' to ')[0].replace('beyond', '↔').replace('other values', '…').replace('missing', '∅').replace(/^value /, '#');

function binNames(f) {
  const names = [];
  const bins = f.reference.length - 2;
  for (let i = 0; i < bins; i++) names.push(f.categorical ? `value ${i + 1}` : `${number(f.edges[i], 3)} to ${number(f.edges[i + 1], 3)}`);
  return [...names, f.categorical ? 'other values' : 'beyond', 'missing'];
}

/** Calibration draws what came true against what was said. */
export function Calibration({ name, bins }) {
  const total = bins.reduce((a, b) => a + b.labels, 0);
  const most = Math.max(...bins.map((b) => b.labels));
  const off = bins.reduce((a, b) => a + b.labels * Math.abs(b.confidence - b.share), 0) / total;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <Figure
      caption="Of the answers near each probability, the share that came true. On the diagonal, a model means what it says. The area of a dot is its number of labels."
      label={`Calibration of ${name}: over ${number(total)} labels what was said and what came true differ by ${percent(off)} on average.`}
      table={<Table caption={`Calibration of ${name}`} hideCaption head={['Said', 'Came true', 'Labels']} right={[1, 2]} rows={bins.map((b) => [percent(b.confidence), percent(b.share), number(b.labels)])} />}>
      <svg class="calibration" viewBox="-34 -10 250 250" aria-hidden="true">
        {ticks.map((t) => (
          <g key={t}>
            <line class="grid" x1="0" x2="200" y1={200 - 200 * t} y2={200 - 200 * t} />
            <line class="grid" y1="0" y2="200" x1={200 * t} x2={200 * t} />
            <text x="-6" y={204 - 200 * t} text-anchor="end">{percent(t)}</text>
            <text x={200 * t} y="216" text-anchor="middle">{percent(t)}</text>
          </g>
        ))}
        <text x="100" y="234" text-anchor="middle">said</text>
        <line class="diagonal" x1="0" y1="200" x2="200" y2="0" />
        <polyline points={bins.map((b) => `${200 * b.confidence},${200 - 200 * b.share}`).join(' ')} />
        {bins.map((b) => <circle key={b.confidence} cx={200 * b.confidence} cy={200 - 200 * b.share} r={2 + 8 * Math.sqrt(b.labels / most)} />)}
      </svg>
    </Figure>
  );
}
