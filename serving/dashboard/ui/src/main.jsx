// The page: header, navigation, one view at a time.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import './style.css';
import { signIn, signedIn, signOut, storage, useLive } from './api.js';
import { plural, setZone, span, time, zone, zoneName } from './format.js';
import { href, useRoute } from './route.js';
import { Sign, Trouble } from './ui.jsx';
import { Flow } from './views/flow.jsx';
import { Models } from './views/models.jsx';
import { Features } from './views/features.jsx';
import { Drift } from './views/drift.jsx';
import { Try } from './views/try.jsx';
import { Letters } from './views/letters.jsx';

const views = [
  ['flow', 'Flow', Flow], ['models', 'Models', Models], ['features', 'Features', Features],
  ['drift', 'Drift', Drift], ['try', 'Try it', Try], ['letters', 'Dead letters', Letters],
];

const links = {
  live: ['ok', 'Live'], polling: ['info', 'Asking every few seconds'], connecting: ['idle', 'Connecting'], lost: ['bad', 'No answer'],
};

function useTheme() {
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const [chosen, set] = useState(storage.get('freshet.theme'));
  const [system, setSystem] = useState(dark.matches);
  useEffect(() => {
    const changed = (e) => setSystem(e.matches);
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);
  const theme = chosen || (system ? 'dark' : 'light');
  const choose = (t) => {
    storage.set('freshet.theme', t);
    document.documentElement.dataset.theme = t;
    set(t);
  };
  return [theme, choose];
}

function Header({ live, theme, choose, utc, setUtc, badges, view, q }) {
  const { data, link, at } = live;
  const [, tick] = useState(0);
  useEffect(() => { const t = setInterval(() => tick((n) => n + 1), 1000); return () => clearInterval(t); }, []);
  const quiet = at ? (Date.now() - at) / 1000 : 0;
  const [state, word] = quiet > 5 && link === 'live' ? ['warn', 'Quiet'] : links[link];
  return (
    <header>
      <a class="skip" href="#answer" onClick={(e) => { e.preventDefault(); document.getElementById('answer')?.focus(); }}>Skip to the answer</a>
      <div class="top">
        <a class="brand" href={href('flow')}><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 12c4-4 7-4 11 0s7 4 11 0M5 20c4-4 7-4 11 0s7 4 11 0" /></svg>Freshet{data && <span class="project">{data.status.project}</span>}</a>
        <p class="link" data-link={link}><Sign state={state}>{word}{quiet > 5 ? `, last heard ${span(quiet)} ago` : ''}</Sign></p>
        <p class="clock">{data?.status.head ? <>Event time <b>{time(data.status.head)}</b></> : ''}</p>
        <div class="switches">
          {signedIn() && data && <button type="button" class="quiet" onClick={async () => { await signOut(); window.location.reload(); }}>Sign out</button>}
          <button type="button" class="quiet" aria-label={`Times in ${utc ? 'UTC; change to local time' : `${zoneName()}; change to UTC`}`} onClick={() => setUtc(!utc)}>{utc ? 'UTC' : zoneName()}</button>
          <button type="button" class="quiet" aria-label={theme === 'dark' ? 'Dark colours; change to light' : 'Light colours; change to dark'} onClick={() => choose(theme === 'dark' ? 'light' : 'dark')}><span aria-hidden="true">{theme === 'dark' ? '☾' : '☀'}</span> {theme === 'dark' ? 'Dark' : 'Light'}</button>
        </div>
      </div>
      <nav aria-label="Views"><ul>
        {views.map(([id, name]) => (
          <li key={id}><a href={href(id, id === view ? q : {})} aria-current={id === view ? 'page' : undefined}>{name}{badges[id] ? <span class="badge">{badges[id]}</span> : ''}</a></li>
        ))}
      </ul></nav>
    </header>
  );
}

function Login({ onDone }) {
  const [text, set] = useState('');
  const [error, fail] = useState(null);
  const show = async (e) => {
    e.preventDefault();
    try { await signIn(text.trim()); onDone(); } catch (x) { fail(x); }
  };
  return (
    <form class="card login" onSubmit={show}>
      <h1 tabIndex={-1} id="answer">This server asks for a token</h1>
      <p>It is one of <code>serving.tokens</code> in the project file. It is shown to this server once, for a session of twelve hours in this browser, and kept nowhere.</p>
      {error && <Trouble error={error} what="session" />}
      <label class="field">Token <input type="password" autocomplete="off" value={text} onInput={(e) => set(e.currentTarget.value)} required /></label>
      <button class="primary">Go on</button>
    </form>
  );
}

function App() {
  const { view, q, filter } = useRoute();
  const [version, again] = useState(0);
  const live = useLive(version);
  const [theme, choose] = useTheme();
  const [utc, set] = useState(zone.utc);
  const setUtc = (u) => { setZone(u); set(u); };
  const known = views.find(([id]) => id === view);
  const View = known?.[2];
  useEffect(() => { document.title = `${known ? known[1] : 'Not found'} · ${live.data?.status.project || 'Freshet'}`; }, [view, live.data?.status.project]);
  const refused = live.data ? live.data.status.sources.reduce((a, s) => a + s.refused, 0) : 0;
  const badges = { drift: live.data?.drifted_features ? <>{live.data.drifted_features}<span class="sr"> features drifted</span></> : '', letters: refused ? <>{plural(refused, '')}<span class="sr"> refused</span></> : '' };
  const locked = live.error?.code === 'UNAUTHENTICATED' || live.error?.code === 'PERMISSION_DENIED';
  return (
    <>
      <Header {...{ live, theme, choose, utc, setUtc, badges, view, q }} />
      <main key={`${version}`}>
        {live.link === 'lost' && live.error && !locked && <Trouble error={live.error} what="answer from the server" stale={!!live.data} />}
        {locked && !live.data ? <Login onDone={() => again(version + 1)} />
          : View ? <View live={live.data} q={q} filter={filter} theme={theme} utc={utc} />
            : <h1 tabIndex={-1} id="answer">There is no view “{view}”. <a href={href('flow')}>Go to Flow</a></h1>}
      </main>
      <footer>
        {live.data && <p>Freshet {live.data.status.build.replace(/^freshet /, '')} · generation {live.data.status.generation} · up {span(live.data.status.uptime)} · times in {zoneName()}</p>}
      </footer>
    </>
  );
}

const root = document.getElementById('app');
root.replaceChildren();
render(<App />, root);
