// What views share. State is always told by a sign and a word, never by colour alone.
import { useEffect, useRef, useState } from 'preact/hooks';

const signs = { ok: '●', warn: '▲', bad: '✕', idle: '○', info: '◆' };

export const Sign = ({ state, children }) => (
  <span class={`sign ${state}`}><span aria-hidden="true">{signs[state]}</span> {children}</span>
);

/** Answer opens a view: the question it answers, and the answer. */
export function Answer({ question, state, children, detail }) {
  return (
    <div class="answer">
      <p class="question">{question}</p>
      <h1 tabIndex={-1} id="answer"><span class={`sign ${state}`} aria-hidden="true">{signs[state]}</span> {children}</h1>
      {detail && <p class="detail">{detail}</p>}
    </div>
  );
}

export const Card = ({ title, id, aside, children, class: more = '' }) => (
  <section class={`card ${more}`} aria-labelledby={id}>
    <div class="card-head"><h2 id={id}>{title}</h2>{aside}</div>
    {children}
  </section>
);

/** Known shows what came of a call: waiting, slow, failed, or the children. What was known stays beside a failure. */
export function Known({ of, what, children }) {
  return (
    <>
      {of.error && <Trouble error={of.error} what={what} stale={!!of.data} />}
      {!of.data && !of.error && (
        <p class="waiting" role="status">{of.slow ? `Still waiting for ${what}: the server answers slowly.` : `Reading ${what} …`}</p>
      )}
      {of.data && of.slow && <p class="waiting" role="status">The server answers slowly; this is what it said before.</p>}
      {of.data && children(of.data)}
    </>
  );
}

export const Trouble = ({ error, what, stale }) => (
  <p class="trouble" role="alert">
    <Sign state="bad">{what ? `No ${what}` : 'Refused'}</Sign>: {error.message}{error.hint ? `; ${error.hint}` : ''}.{stale ? ' What you see is what was known before.' : ''}
  </p>
);

export const Empty = ({ children }) => <p class="empty">{children}</p>;

/** Table scrolls in itself where it is too wide. Cells are values or elements; number columns are named in right. */
export function Table({ caption, head, rows, right = [], hideCaption }) {
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={hideCaption ? 'sr' : ''}>{caption}</caption>
        <thead><tr>{head.map((h, i) => <th key={h} scope="col" class={right.includes(i) ? 'num' : ''}>{h}</th>)}</tr></thead>
        <tbody>
          {rows.map((r, k) => (
            <tr key={r.key ?? k} class={r.class}>
              {(r.cells ?? r).map((c, i) => (i === 0 ? <th key={i} scope="row">{c}</th> : <td key={i} class={right.includes(i) ? 'num' : ''}>{c}</td>))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export const Facts = ({ list }) => (
  <dl class="facts">{list.filter(Boolean).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
);

/** Spark is a small line without axes; the number beside it says the same. */
export function Spark({ values, max }) {
  if (!values || values.length < 2) return <svg class="spark" aria-hidden="true" viewBox="0 0 100 24" />;
  const top = max ?? Math.max(...values, 1e-9);
  const points = values.map((v, i) => `${((100 * i) / (values.length - 1)).toFixed(1)},${(22 - (20 * Math.min(v, top)) / top).toFixed(1)}`);
  return (
    <svg class="spark" aria-hidden="true" viewBox="0 0 100 24" preserveAspectRatio="none">
      <polygon points={`0,24 ${points.join(' ')} 100,24`} />
      <polyline points={points.join(' ')} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

export function Select({ label, value, options, onChange }) {
  return (
    <label class="field">{label}
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {options.map((o) => <option key={o.value ?? o} value={o.value ?? o}>{o.label ?? o}</option>)}
      </select>
    </label>
  );
}

/** Confirm asks before something is done; the focus goes back to where it came from. */
export function Confirm({ title, children, action, onYes, onNo }) {
  const dialog = useRef(null);
  useEffect(() => { dialog.current.showModal(); }, []);
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={onNo}>
      <h2 id="confirm-title">{title}</h2>
      {children}
      <div class="buttons">
        <button type="button" onClick={() => dialog.current.close()} autofocus>Cancel</button>
        <button type="button" class="primary" onClick={onYes}>{action}</button>
      </div>
    </dialog>
  );
}

export function Code({ text, label }) {
  const [done, set] = useState('');
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); set('Copied'); } catch { set('Select and copy by hand'); }
    setTimeout(() => set(''), 2000);
  };
  return (
    <div class="code">
      <pre tabIndex={0} role="region" aria-label={label}><code>{text}</code></pre>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy ${label}`}>{done || 'Copy'}</button>
      <span class="sr" role="status">{done}</span>
    </div>
  );
}
