// Flow: is everything flowing, and how fresh is it?
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useApi } from '../api.js';
import { count, dayTime, percent, plural, rate, seconds, span, time } from '../format.js';
import { Answer, Card, Empty, Facts, Known, Sign, Spark, Table } from '../ui.jsx';

export function Flow({ live, q, filter, utc }) {
  const lineage = useApi('v1/lineage', 60);
  if (!live) return <Answer question="Is everything flowing, and how fresh is it?" state="idle">Waiting for the first word of the server …</Answer>;
  const { status, models } = live;
  const sources = status.sources.filter((s) => !s.name.startsWith('$'));
  const now = rates(live);
  const lag = Math.max(0, ...status.stages.map((s) => s.lag), ...sources.map((s) => s.lag));
  const stopped = status.stages.filter((s) => s.state === 'stopped' || s.error);
  const accepted = sources.reduce((a, s) => a + s.accepted, 0);
  const [state, text] = verdict(status, stopped, lag, accepted, now('events'));
  return (
    <>
      <Answer question="Is everything flowing, and how fresh is it?" state={state}
        detail={status.head && <>Newest event {time(status.head, true)}; nothing older than {time(status.watermark)} is awaited{status.clock === 'events' ? '; events move time, not the wall clock' : ''}.</>}>{text}</Answer>
      {status.warnings.map((w) => <p class="trouble" role="status" key={w}><Sign state="warn">Look at this</Sign>: {w}.</p>)}
      {status.waiting_for.map((w) => <p class="trouble" role="status" key={w}><Sign state="idle">Waiting</Sign>: {w}.</p>)}
      <Pipeline {...{ status, sources, models, now, accepted }} />
      <Card title="Sources" id="sources">
        {sources.length ? <Table caption="What each source brought" hideCaption right={[1, 2, 3, 4, 6]}
          head={['Source', 'Events/s', 'Accepted', 'Refused', 'Late', 'Newest event', 'Still to read']}
          rows={sources.map((s) => ({ key: s.name, cells: [s.name, rate(now('events', s.name).last), count(s.accepted),
            s.refused ? <a href={`#/letters?source=${encodeURIComponent(s.name)}`}><Sign state="warn">{count(s.refused)}</Sign></a> : '0', count(s.late), time(s.newest), count(s.lag)] }))} />
          : <Empty>This server runs no sequencer, so it does not know the sources.</Empty>}
      </Card>
      {status.triggers.length > 0 && <Card title="Questions and their labels" id="triggers">
        <Table caption="What became of the examples of each trigger" hideCaption right={[1, 2, 3, 4, 5, 6]}
          head={['Trigger', 'Examples', 'Labelled', 'Never labelled', 'Waiting', 'Too late to learn', 'Median time to label']}
          rows={status.triggers.map((t) => [t.name, count(t.examples), `${count(t.labelled)} (${percent(t.labelled / Math.max(1, t.examples))})`, count(t.unlabelled), count(t.pending), count(t.not_learned), t.label_delay ? span(t.label_delay) : '–'])} />
      </Card>}
      <Card title="What comes from what" id="lineage">
        <Known of={lineage} what="the lineage">{(g) => <Lineage graph={g} at={q.node} go={(node) => filter({ node })} utc={utc} />}</Known>
      </Card>
    </>
  );
}

function verdict(status, stopped, lag, accepted, events) {
  if (stopped.length) return ['bad', `${plural(stopped.length, 'stage')} stopped: ${stopped.map((s) => `${s.name} ${s.of}`).join(', ')}.`];
  if (!status.ready) return ['idle', accepted ? 'Events flow; not all is ready yet.' : 'Nothing has come yet.'];
  const last = status.stages.reduce((a, s) => (a && a.lag >= s.lag ? a : s), null);
  if (lag > 1000) return ['warn', last && last.lag === lag ? `Catching up: ${last.name}${last.of ? ` ${last.of}` : ''} has ${count(lag)} items to go.` : `Catching up: ${count(lag)} records are still to be read.`];
  if (events.last > 0) return ['ok', `Everything flows: ${rate(events.last)} events a second, nothing waits.`];
  return ['ok', accepted ? `All is read: ${count(accepted)} events, and nothing new at the moment.` : 'Ready, and nothing has come yet.'];
}

/** rates sums series of the overview: of one source, or of all. */
export function rates(live) {
  return (what, of) => {
    const list = live.rates.filter((r) => r.what === what && (of === undefined ? !r.of.startsWith('$') : r.of === of));
    const n = Math.max(0, ...list.map((r) => r.per_second.length));
    const series = Array.from({ length: n }, (_, i) => list.reduce((a, r) => a + (r.per_second[r.per_second.length - n + i] || 0), 0));
    const few = series.slice(-3);
    return { series, last: few.length ? few.reduce((a, b) => a + b, 0) / few.length : NaN, total: list.reduce((a, r) => a + r.total, 0) };
  };
}

const stageState = (list) => (!list.length ? ['idle', 'runs elsewhere'] : list.some((s) => s.error || s.state === 'stopped') ? ['bad', 'stopped']
  : list.some((s) => s.state === 'catching up') ? ['warn', 'catching up'] : list.some((s) => s.state !== 'running') ? ['info', list.find((s) => s.state !== 'running').state] : ['ok', 'running']);

function Pipeline({ status, sources, models, now, accepted }) {
  const stages = (name) => status.stages.filter((s) => s.name === name);
  const lagOf = (list) => Math.max(0, ...list.map((s) => s.lag));
  const champions = models.filter((m) => m.role === 'CHAMPION');
  const units = stages('units'), joiners = stages('joiner'), sequencer = stages('sequencer');
  const learners = [...stages('learner'), ...stages('follower')];
  const refused = sources.reduce((a, s) => a + s.refused, 0);
  const ready = champions.filter((m) => m.state === 'READY' || m.state === 'STALE').length;
  const events = now('events'), examples = now('examples'), learned = now('learned', champions[0]?.name), answered = now('predictions');
  const box = (name, st, big, unit, series, facts) => ({ name, st, big, unit, series, facts });
  const list = [
    box('Sources', sources.length ? (lagOf(sources) > 1000 ? ['warn', 'behind'] : ['ok', 'read']) : ['idle', 'read elsewhere'], rate(events.last), 'records/s', events.series,
      [['Sources', count(sources.length)], ['Still to read', count(lagOf(sources))], ['Refused', count(refused)]]),
    box('Events', stageState(sequencer), count(accepted), 'in one order', null,
      [['In the queue', count(lagOf(sequencer))], ['Watermark', dayTime(status.watermark)]]),
    box('Units', stageState(units), units.length ? `${units.filter((u) => u.state === 'running').length} of ${units.length}` : '–', 'at the end', null,
      [['Behind', count(lagOf(units))]]),
    box('Joiner', stageState(joiners), rate(examples.last), 'examples/s', examples.series,
      [['Wait for a label', count(status.triggers.reduce((a, t) => a + t.pending, 0))], ['Behind', count(lagOf(joiners))]]),
    box('Models', stageState(learners), rate(learned.last), 'labels learned/s', learned.series,
      [['Trained until', dayTime(champions[0]?.trained_until)], ['Behind', count(lagOf(learners))]]),
    box('Servers', ready === champions.length && champions.length ? ['ok', 'answering'] : ['warn', `${ready} of ${champions.length} models answer`], rate(answered.last), 'answers/s', answered.series,
      [['Staleness', champions[0]?.staleness ? span(Math.max(...champions.map((m) => seconds(m.staleness)))) : '–'], ['Answers so far', count(answered.total)]]),
  ];
  return (
    <ol class="pipeline" aria-label="The way of an event">
      {list.map((b) => (
        <li key={b.name}>
          <div class="stage-head"><h2>{b.name}</h2><Sign state={b.st[0]}>{b.st[1]}</Sign></div>
          <p class="big">{b.big} <small>{b.unit}</small></p>
          <Spark values={b.series} />
          <Facts list={b.facts} />
        </li>
      ))}
    </ol>
  );
}

const columns = [['Sources and tables', ['source', 'table']], ['Features by key', ['entity']], ['Derived', ['derived']], ['Vectors', ['trigger']], ['Models', ['model']]];
const kinds = { source: 'Source', table: 'Table', entity: 'Entity type', derived: 'Derived feature', trigger: 'Vectors of', model: 'Model' };

function Lineage({ graph, at, go }) {
  const box = useRef(null);
  const [paths, setPaths] = useState([]);
  const node = graph.nodes.find((n) => n.id === at);
  useLayoutEffect(() => {
    const draw = () => setPaths(measure(box.current, graph.edges));
    draw();
    const sized = new ResizeObserver(draw);
    sized.observe(box.current);
    return () => sized.disconnect();
  }, [graph]);
  useEffect(() => { box.current?.querySelector(`[aria-pressed=true]`)?.scrollIntoView?.({ block: 'nearest', inline: 'nearest' }); }, []);
  const near = new Set(node ? graph.edges.filter((e) => e.from === at || e.to === at).flatMap((e) => [e.from, e.to]) : []);
  return (
    <>
      <p class="hint">Choose a node for its definition. Solid lines carry values, dashed ones ask, dotted ones bring labels.</p>
      <div class="lineage" ref={box}>
        <svg aria-hidden="true">{paths.map((p) => <path key={p.id} d={p.d} class={`${p.what} ${node ? (p.from === at || p.to === at ? 'on' : 'off') : ''}`} />)}</svg>
        {columns.map(([title, of]) => {
          const list = graph.nodes.filter((n) => of.includes(n.kind));
          return list.length > 0 && (
            <div key={title} class="column">
              <h3>{title}</h3>
              <ul>{list.map((n) => (
                <li key={n.id}><button type="button" class={`node ${n.kind} ${node && !near.has(n.id) && n.id !== at ? 'far' : ''}`} data-id={n.id} aria-pressed={n.id === at} onClick={() => go(n.id === at ? '' : n.id)}>
                  {n.name}{n.kind === 'table' && <small> table</small>}{n.kind === 'entity' && <small> {n.columns.length}</small>}
                </button></li>
              ))}</ul>
            </div>
          );
        })}
      </div>
      <div aria-live="polite">{node && <Node node={node} graph={graph} go={go} />}</div>
    </>
  );
}

function measure(box, edges) {
  if (!box) return [];
  const base = box.getBoundingClientRect();
  const place = {};
  for (const b of box.querySelectorAll('[data-id]')) {
    const r = b.getBoundingClientRect();
    place[b.dataset.id] = { left: r.left - base.left, right: r.right - base.left, y: r.top - base.top + r.height / 2 };
  }
  return edges.filter((e) => place[e.from] && place[e.to]).map((e) => {
    const a = place[e.from], b = place[e.to], bend = Math.max(20, (b.left - a.right) / 2);
    return { id: `${e.from} ${e.to} ${e.what}`, ...e, d: `M${a.right},${a.y} C${a.right + bend},${a.y} ${b.left - bend},${b.y} ${b.left},${b.y}` };
  });
}

function Node({ node, graph, go }) {
  const ends = (from) => graph.edges.filter((e) => (from ? e.to : e.from) === node.id).map((e) => [from ? e.from : e.to, e.what]);
  const links = (list) => (list.length ? list.map(([id, what]) => (
    <button type="button" class="quiet" key={id + what} onClick={() => go(id)}>{id.slice(id.indexOf(':') + 1)}{what !== 'feeds' ? ` (${what})` : ''}</button>
  )) : 'nothing');
  return (
    <div class="definition">
      <h3>{kinds[node.kind]} {node.name}</h3>
      <Facts list={[['Made from', links(ends(true))], ['Used by', links(ends(false))], node.key.length > 0 && ['Key', node.key.join(', ')]]} />
      <pre tabIndex={0} role="region" aria-label={`Definition of ${node.name}`}><code>{node.definition || 'Part of every model: it has no definition of its own.'}</code></pre>
      {node.columns.length > 0 && <details><summary>{plural(node.columns.length, 'column')}</summary><p class="columns">{node.columns.map((c) => <code key={c}>{c}</code>)}</p></details>}
    </div>
  );
}
