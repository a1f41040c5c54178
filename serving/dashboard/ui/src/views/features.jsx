// Features: what is known about this entity now, and is that usual?
import { useState } from 'preact/hooks';
import { call, useApi } from '../api.js';
import { Histogram } from '../chart.jsx';
import { count, number, plural, seconds, span, time } from '../format.js';
import { Answer, Card, Empty, Facts, Known, Select, Sign, Table, Trouble } from '../ui.jsx';

const statuses = { PRESENT: ['ok', 'known'], NULL: ['idle', 'no value'], NOT_FOUND: ['idle', 'never seen'], OUTSIDE_MAX_AGE: ['warn', 'old'], UNSPECIFIED: ['idle', '–'] };

export function Features({ live, q, filter }) {
  const lineage = useApi('v1/lineage');
  const recent = useApi('v1/recent', 15);
  const spread = useApi('v1/distributions', 5);
  const [found, setFound] = useState(null);
  const question = 'What is known about an entity now, and is that usual?';
  const row = found?.data?.entities[0]?.rows[0];
  return (
    <>
      <Answer question={question} state={!found ? 'info' : found.error ? 'bad' : row?.found ? 'ok' : 'idle'}
        detail={row?.found && <>Newest event {time(row.event_time, true)}, {span(row.age)} before the time it was read at ({time(found.data.as_of)}).{found.data.stale ? ' Features are being rebuilt: these are the old ones.' : ''}</>}>
        {!found ? 'Choose an entity type and give its key.' : found.error ? 'The lookup was refused.'
          : row?.found ? `${found.name} is known: ${plural(found.data.columns.filter((c) => c.statuses[0] === 'PRESENT').length, 'value')}.` : `${found.name} was never seen, or is forgotten.`}
      </Answer>
      <Card title="Look up" id="lookup">
        <Known of={lineage} what="the entity types">{(g) => <Lookup graph={g} recent={recent.data?.events || []} q={q} filter={filter} found={found} setFound={setFound} />}</Known>
      </Card>
      <Card title="Now against the reference" id="spread">
        <Known of={spread} what="distributions">{(s) => <Spread triggers={s.triggers} q={q} filter={filter} live={live} />}</Known>
      </Card>
    </>
  );
}

function Lookup({ graph, recent, q, filter, found, setFound }) {
  const entities = graph.nodes.filter((n) => n.key.length && n.columns.length && (n.kind === 'entity' || n.kind === 'table'));
  const entity = entities.find((e) => e.name === q.entity) || entities[0];
  const [busy, setBusy] = useState(false);
  if (!entity) return <Empty>This project has no features by key.</Empty>;
  const given = Object.fromEntries(entity.key.map((k) => [k, q[`key.${k}`] ?? '']));
  const examples = unique(recent.filter((e) => entity.key.every((k) => e.fields[k] !== undefined && e.fields[k] !== null)).map((e) => entity.key.map((k) => String(e.fields[k])))).slice(0, 4);
  const typed = (k, text) => { const seen = recent.find((e) => e.fields[k] !== undefined)?.fields[k]; return typeof seen === 'number' && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text; };
  const look = async (keys) => {
    setBusy(true);
    const name = `${entity.name} ${entity.key.map((k) => keys[k]).join(' · ')}`;
    try {
      const ask = (convert) => call('v1/features', { features: [`${entity.name}.*`], rows: [{ keys: Object.fromEntries(entity.key.map((k) => [k, convert(k, keys[k])])) }] });
      let data;
      try { data = await ask(typed); } catch (e) { // a key of digits may be a text or a number
        if (e.code !== 'INVALID_ARGUMENT') throw e;
        data = await ask((k, text) => (/^-?\d+$/.test(text) && typeof typed(k, text) === 'string' ? Number(text) : text));
      }
      setFound({ name, data });
    } catch (error) {
      setFound({ name, error });
    }
    setBusy(false);
  };
  return (
    <>
      <form class="filters" onSubmit={(e) => { e.preventDefault(); look(given); }}>
        <Select label="Entity type" value={entity.name} options={entities.map((e) => ({ value: e.name, label: `${e.name} (${e.key.join(', ')})` }))}
          onChange={(name) => { setFound(null); filter({ ...Object.fromEntries(Object.keys(q).filter((k) => k.startsWith('key.')).map((k) => [k, ''])), entity: name }); }} />
        {entity.key.map((k) => <label class="field" key={k}>{k} <input value={given[k]} required autocomplete="off" onInput={(e) => filter({ [`key.${k}`]: e.currentTarget.value })} /></label>)}
        <button class="primary" disabled={busy}>{busy ? 'Reading …' : 'Look up'}</button>
      </form>
      {examples.length > 0 && <p class="hint">Just seen: {examples.map((x) => (
        <button type="button" class="quiet" key={x.join()} onClick={() => { const keys = Object.fromEntries(entity.key.map((k, i) => [k, x[i]])); filter(Object.fromEntries(entity.key.map((k, i) => [`key.${k}`, x[i]]))); look(keys); }}>{x.join(' · ')}</button>
      ))}</p>}
      {found?.error && <Trouble error={found.error} />}
      {found?.data && <Table caption={`Features of ${found.name}`} hideCaption right={[1]} head={['Feature', 'Value', 'Window', 'State']}
        rows={found.data.columns.map((c) => {
          const [state, word] = statuses[c.statuses[0]];
          return { key: c.name, cells: [<span>{c.name}{definitionOf(entity, c.name) && <small class="defined">{definitionOf(entity, c.name)}</small>}</span>, c.kind === 'CATEGORICAL' && c.values[0] !== null ? `category ${c.values[0]}` : number(c.values[0]), windowOf(c), <Sign key="s" state={state}>{word}</Sign>] };
        })} />}
    </>
  );
}

/** definitionOf finds the line of the entity's definition that gives a column: the longest name that begins it. */
function definitionOf(entity, column) {
  const name = column.slice(column.indexOf('.') + 1);
  const lines = entity.kind === 'entity' ? entity.definition.split('\n').map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 2)]) : [];
  return lines.filter(([n, text]) => text.startsWith('{') && (name === n || name.startsWith(`${n}_`))).sort((a, b) => b[0].length - a[0].length)[0]?.[1];
}

const unique = (rows) => [...new Map(rows.map((r) => [r.join('\u0000'), r])).values()];

function windowOf(c) {
  if (!seconds(c.window)) return 'newest value, or all events so far';
  return `last ${span(c.window)}${seconds(c.lag) ? `, as of ${span(c.lag)} ago` : ''}${seconds(c.hop) ? ` (up to ${span(c.hop)} more)` : ' (exact)'}`;
}

function Spread({ triggers, q, filter }) {
  const list = triggers.filter((t) => t.features.length);
  if (!list.length) return <Empty>The reference is not complete yet: it is the first 5,000 examples. Then each window of 2,000 is compared with it.</Empty>;
  const trigger = list.find((t) => t.name === q.trigger) || list[0];
  const feature = trigger.features.find((f) => f.name === q.feature) || trigger.features[0];
  const windows = trigger.windows.length;
  return (
    <>
      <div class="filters">
        {list.length > 1 && <Select label="Trigger" value={trigger.name} options={list.map((t) => t.name)} onChange={(t) => filter({ trigger: t, feature: '' })} />}
        <Select label="Feature" value={feature.name} options={trigger.features.map((f) => f.name)} onChange={(f) => filter({ feature: f })} />
      </div>
      {feature.current.some((n) => n > 0)
        ? <><Histogram feature={feature} /><Facts list={[['Windows finished', count(windows)], ['Newest window ends', time(trigger.windows.at(-1)?.until, true)]]} /></>
        : <Empty>The reference is complete; the first window to compare with it is not.</Empty>}
    </>
  );
}
