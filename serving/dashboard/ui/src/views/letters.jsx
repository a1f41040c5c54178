// Dead letters: what was refused, and why?
import { useApi } from '../api.js';
import { count, percent, plural, time } from '../format.js';
import { Answer, Card, Empty, Facts, Known, Select, Sign, Table } from '../ui.jsx';

const meanings = {
  malformed: 'not readable as its format', not_utf8: 'not UTF-8', duplicate_key: 'a key twice in one object', columns: 'another number of columns', no_value: 'no value', too_large: 'too large',
  bad_mark: 'a time mark that is none', missing: 'a field is missing', null: 'a field is null', wrong_type: 'a field has another type', out_of_range: 'a number out of range', not_finite: 'a number that is not finite',
  time_format: 'a time written otherwise', time_range: 'a time out of range', unknown_field: 'a field that is not declared', key_too_long: 'a key that is too long', bad_key: 'a key that cannot be one',
  expect: 'a condition of expect is false', late: 'later than max_lateness', future: 'ahead of its own record', duplicate: 'its id came before',
};

export function Letters({ live, q, filter }) {
  const path = `v1/deadletters?${new URLSearchParams(Object.entries({ source: q.source, reason: q.reason, limit: '50' }).filter(([, v]) => v))}`;
  const letters = useApi(path, 5);
  const d = letters.data;
  const accepted = live ? live.status.sources.reduce((a, s) => a + s.accepted, 0) : 0;
  const sources = [...new Set(d?.reasons.map((r) => r.source))], reasons = [...new Set(d?.reasons.map((r) => r.reason))];
  const filtered = q.source || q.reason;
  return (
    <>
      <Answer question="What was refused, and why?" state={!d ? 'idle' : d.total ? 'warn' : 'ok'}
        detail={d?.total > 0 && <>A refused record stops nothing: it lies in the dead-letter topic with its reason. Mend it and produce it again. Sensitive fields stand there as hashes.</>}>
        {!d ? (letters.error ? 'Not known.' : 'Reading …') : d.total ? `${plural(d.total, 'record')} refused${accepted ? `, ${percent(d.total / (d.total + accepted))} of all` : ''}; most often: ${d.reasons[0] ? meanings[d.reasons[0].reason] || d.reasons[0].reason : 'unknown'} (${d.reasons[0]?.source}).` : 'Nothing was refused.'}
      </Answer>
      <Known of={letters} what="dead letters">{() => (d.total === 0 ? <Card title="Reasons" id="reasons"><Empty>When a record cannot be accepted, its reason and a sample of it show up here.</Empty></Card> : (
        <>
          <Card title="Reasons" id="reasons">
            {d.read < d.total && <p class="hint">Of the newest {count(d.read)} letters.</p>}
            <Table caption="Letters by source and reason" hideCaption right={[4]} head={['Source', 'Stage', 'Reason', 'What it means', 'Letters', 'Newest']}
              rows={d.reasons.map((r) => ({ key: `${r.source} ${r.reason}`, cells: [r.source, r.stage, <button type="button" class="quiet" onClick={() => filter({ source: r.source, reason: r.reason })}>{r.reason}<span class="sr"> of {r.source}: show samples</span></button>, meanings[r.reason] || '', count(r.letters), time(r.newest)] }))} />
          </Card>
          <Card title="Samples, the newest first" id="samples">
            <div class="filters">
              <Select label="Source" value={q.source || ''} options={[{ value: '', label: 'all' }, ...sources]} onChange={(source) => filter({ source })} />
              <Select label="Reason" value={q.reason || ''} options={[{ value: '', label: 'all' }, ...reasons]} onChange={(reason) => filter({ reason })} />
              {filtered && <button type="button" onClick={() => filter({ source: '', reason: '' })}>Show all</button>}
            </div>
            {d.letters.length === 0 ? <Empty>No letter of this kind among those that were read.</Empty> : <ol class="letters">{d.letters.map((l) => <Letter key={`${l.topic} ${l.partition} ${l.offset}`} l={l} />)}</ol>}
          </Card>
        </>
      ))}</Known>
    </>
  );
}

const Letter = ({ l }) => (
  <li>
    <p><Sign state="warn">{l.reason}</Sign> in {l.source}: {l.message || meanings[l.reason]}</p>
    <pre tabIndex={0} role="region" aria-label={`Record at offset ${l.offset} of ${l.topic}`}><code>{l.value || '(empty)'}</code></pre>
    <Facts list={[['Where', `${l.topic}, partition ${l.partition}, offset ${l.offset}`], ['When', time(l.at, true)], l.key && ['Key', <code>{l.key}</code>], l.redacted && ['Hashed', l.redacted], l.cut && ['Shown', 'only its beginning']]} />
  </li>
);
