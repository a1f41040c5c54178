// Try it: what would be answered for this, and how does a program ask the same?
import { useState } from 'preact/hooks';
import { call, signedIn, useApi } from '../api.js';
import { count, number, percent, plural, span, time } from '../format.js';
import { Answer, Card, Code, Facts, Known, Select, Sign, Trouble } from '../ui.jsx';

export function Try({ live, q, filter }) {
  const [result, setResult] = useState(null);
  const names = live?.models.map((m) => ({ value: m.name, label: m.role === 'CHAMPION' ? m.name : `${m.name} (${m.role.toLowerCase()} of ${m.of})` })) || [];
  const name = names.some((n) => n.value === q.model) ? q.model : names[0]?.value;
  const detail = useApi(name ? `v1/models/${encodeURIComponent(name)}` : null);
  const recent = useApi('v1/recent', 15);
  const question = 'What would be answered now, and how does a program ask the same?';
  if (!live) return <Answer question={question} state="idle">Waiting for the first word of the server …</Answer>;
  if (!name) return <Answer question={question} state="idle">This project has no models.</Answer>;
  const r = result?.model === name ? result : null;
  return (
    <>
      <Answer question={question} state={!r ? 'info' : r.error ? 'bad' : r.data.stale || r.data.held ? 'warn' : 'ok'} detail={r?.data && freshness(r.data)}>
        {!r ? 'Fill in the fields, or take an event that was just read.' : r.error ? 'The question was refused.' : answer(r.data.predictions[0])}
      </Answer>
      <div class="filters"><Select label="Model" value={name} options={names} onChange={(model) => filter({ model })} /></div>
      <Known of={detail} what="the fields of the model">{(d) => <Form key={name} d={d} live={live} recent={recent.data?.events || []} q={q} filter={filter} result={r} setResult={setResult} />}</Known>
    </>
  );
}

function answer(p) {
  if (p.probability !== undefined) return `Probability ${percent(p.probability)}`;
  if (p.classes) return `Most probable: ${p.classes.best}, ${percent(p.classes.classes.find((c) => c.name === p.classes.best)?.probability)}`;
  if (p.series) return `Forecast: ${p.series.values.map((v) => number(v)).join(', ')}`;
  return `Answer ${number(p.number ?? p.score)}`;
}

const freshness = (d) => <>From version {count(d.version.seq)}, trained until {time(d.trained_until, true)}, features as of {time(d.as_of)}; known to be the newest version {span(d.staleness)} ago.</>;

const empty = (kind) => ({ bool: 'false' })[kind] ?? '';

/** fromText reads what was typed as the kind that the field has; undefined: left out. */
function fromText(kind, text) {
  if (text === '') return undefined;
  if (kind === 'bool') return text === 'true';
  if ((kind === 'int' || kind === 'double') && Number.isFinite(Number(text))) return Number(text);
  return text;
}

/** wire is a value as protobuf's own JSON has it, which grpcurl sends. */
function wire(kind, v) {
  if (kind === 'int') return { int: String(v) };
  return { [kind === 'text' ? 'string' : kind]: v };
}

function Form({ d, live, recent, q, filter, result, setResult }) {
  const [busy, setBusy] = useState(false);
  const given = Object.fromEntries(d.fields.map((f) => [f.name, q[`f.${f.name}`] ?? empty(f.kind)]));
  const events = recent.filter((e) => e.source === d.model.on);
  const values = Object.fromEntries(d.fields.map((f) => [f.name, fromText(f.kind, given[f.name])]).filter(([, v]) => v !== undefined));
  const body = { model: d.model.name, rows: [{ fields: values }] };
  const take = (e) => filter(Object.fromEntries(d.fields.map((f) => [`f.${f.name}`, e.fields[f.name] ?? ''])));
  const ask = async (e) => {
    e.preventDefault();
    setBusy(true);
    try { setResult({ model: d.model.name, data: await call('v1/predict', body) }); } catch (error) { setResult({ model: d.model.name, error }); }
    setBusy(false);
  };
  const p = result?.data?.predictions[0];
  return (
    <div class="two">
      <Card title="The question" id="question" aside={events.length > 0 && <button type="button" onClick={() => take(events[0])}>Take a recent event</button>}>
        {d.model.on === 'request' && d.model.role === 'CHAMPION' && <p class="trouble"><Sign state="warn">Mind</Sign>: this model learns from the questions it is asked. What you try here is logged and may be learned.</p>}
        <form class="fields" onSubmit={ask}>
          {d.fields.map((f) => (
            <label class="field" key={f.name}><span>{f.name} <small>{f.kind}{f.nullable ? ', may be empty' : ''}{f.keys.length ? `, key of ${f.keys.join(', ')}` : ''}</small></span>
              {f.kind === 'bool' ? <select value={given[f.name]} onChange={(e) => filter({ [`f.${f.name}`]: e.currentTarget.value })}><option>false</option><option>true</option></select>
                : <input value={given[f.name]} required={!f.nullable} autocomplete="off" inputMode={f.kind === 'int' || f.kind === 'double' ? 'decimal' : undefined}
                  placeholder={f.kind === 'time' ? '2013-07-01T12:00:00Z' : ''} onInput={(e) => filter({ [`f.${f.name}`]: e.currentTarget.value })} />}
            </label>
          ))}
          <div class="buttons"><button class="primary" disabled={busy}>{busy ? 'Asking …' : 'Predict'}</button></div>
        </form>
      </Card>
      <div>
        <Card title="The answer" id="result">
          <div aria-live="polite">
            {!result && <p class="empty">Nothing asked yet.</p>}
            {result?.error && <Trouble error={result.error} />}
            {p && <>
              {p.probability !== undefined && <div class="gauge"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8" /><rect class="now" width={100 * p.probability} height="8" /></svg><b>{percent(p.probability)}</b></div>}
              {p.classes && <ul>{p.classes.classes.map((c) => <li key={c.name}>{c.name}: {percent(c.probability)}</li>)}</ul>}
              <Facts list={[['Id', <code>{p.prediction_id}</code>], ['Newest event behind it', time(p.newest_event)], ['Quietest entity since', time(p.oldest_entity)],
                ['Never seen', p.not_found.length ? p.not_found.join(', ') : 'none'], ['Missing', plural(p.missing, 'column')]]} />
            </>}
          </div>
        </Card>
        <Card title="The same from a program" id="code"><Programs d={d} live={live} body={body} values={values} q={q} filter={filter} /></Card>
      </div>
    </div>
  );
}

function Programs({ d, live, body, values, q, filter }) {
  const kinds = Object.fromEntries(d.fields.map((f) => [f.name, f.kind]));
  const typed = { model: d.model.name, rows: [{ fields: Object.fromEntries(Object.entries(values).map(([k, v]) => [k, wire(kinds[k], v)])) }] };
  // One field a line, so that a terminal does not break words.
  const pretty = (x) => `{"model": ${JSON.stringify(x.model)}, "rows": [{"fields": {\n    ${Object.entries(x.rows[0].fields).map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`).join(',\n    ')}}}]}`;
  const quoted = (x) => pretty(x).replaceAll("'", "'\\''");
  const url = new URL('v1/predict', window.location.href.split('#')[0]).href;
  const secure = window.location.protocol === 'https:';
  const auth = signedIn() ? '  -H "Authorization: Bearer $FRESHET_TOKEN" \\\n' : '';
  const python = `import json, ${auth ? 'os, ' : ''}urllib.request

question = json.loads(r"""${pretty(body)}""")
request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(question).encode(),
    headers={"Content-Type": "application/json"${auth ? ', "Authorization": "Bearer " + os.environ["FRESHET_TOKEN"]' : ''}},
)
with urllib.request.urlopen(request, timeout=5) as response:
    print(json.load(response)["predictions"][0])`;
  const all = {
    curl: `curl -sS ${url} \\\n${auth}  -H 'Content-Type: application/json' \\\n  -d '${quoted(body)}'`,
    ...(live.grpc_address ? { grpcurl: `grpcurl ${secure ? '' : '-plaintext '}\\\n${auth}  -d '${quoted(typed)}' \\\n  ${live.grpc_address} freshet.v1.Freshet/Predict` } : {}),
    Python: python,
  };
  const chosen = all[q.as] ? q.as : 'curl';
  return (
    <>
      <div class="legend choices" role="group" aria-label="Program">{Object.keys(all).map((k) => <button type="button" key={k} aria-pressed={k === chosen} onClick={() => filter({ as: k })}>{k}</button>)}</div>
      <Code text={all[chosen]} label={`${chosen} call`} />
    </>
  );
}
