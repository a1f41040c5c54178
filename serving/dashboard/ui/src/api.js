// Talks to the JSON API beside the page: calls, the stream of overviews, and its fallback.
import { useEffect, useRef, useState } from 'preact/hooks';

const sessionKey = 'freshet.session';
const slowAfter = 1500;
const giveUpAfter = 15000;

export const storage = {
  get(key, area = 'localStorage') {
    try { return window[area].getItem(key); } catch { return null; }
  },
  set(key, value, area = 'localStorage') {
    try { value === null ? window[area].removeItem(key) : window[area].setItem(key, value); } catch { /* not kept */ }
  },
};

/** signedIn says whether this browser has shown a token, so that programs need one too. The token itself is kept nowhere. */
export const signedIn = () => storage.get(sessionKey) === '1';

/** ApiError is what the server said, or that it said nothing. */
export class ApiError extends Error {
  constructor(code, message, hint) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

async function refusal(r) {
  try {
    const { error } = await r.json();
    return new ApiError(error.code, error.message, error.hint);
  } catch {
    return new ApiError(`HTTP ${r.status}`, r.statusText || 'the server refused', '');
  }
}

/** call asks once. A body makes it a POST. */
export async function call(path, body, signal) {
  const timeout = AbortSignal.timeout(giveUpAfter);
  let r;
  try {
    r = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
    });
    if (r.ok) return await r.json();
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError('NO_ANSWER', timeout.aborted ? `no answer within ${giveUpAfter / 1000} seconds` : 'the server does not answer', 'is it running? The page tries again by itself');
  }
  throw await refusal(r);
}

/** signIn shows a token once and gets a cookie that scripts cannot read; signOut gives it back. */
export async function signIn(token) {
  const r = await fetch('v1/session', { method: 'POST', headers: { Authorization: `Bearer ${token}` }, cache: 'no-store' });
  if (!r.ok) throw await refusal(r);
  storage.set(sessionKey, '1');
}

export async function signOut() {
  storage.set(sessionKey, null);
  await fetch('v1/session', { method: 'DELETE' });
}

/** useApi asks for a path, and again every so many seconds while the page is seen. What was known stays while it fails. */
export function useApi(path, every = 0, version = 0) {
  const [state, set] = useState({ path: null, data: null, error: null, slow: false });
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      const late = setTimeout(() => set((s) => ({ ...s, slow: true })), slowAfter);
      try {
        const data = await call(path, undefined, stop.signal);
        set({ path, data, error: null, slow: false });
      } catch (error) {
        if (!stop.signal.aborted) set((s) => ({ path, data: s.path === path ? s.data : null, error, slow: false }));
      } finally {
        clearTimeout(late);
      }
      if (every && !stop.signal.aborted) timer = setTimeout(next, every * 1000);
    };
    const next = () => (document.hidden ? (timer = setTimeout(next, 1000)) : ask());
    ask();
    return () => { stop.abort(); clearTimeout(timer); };
  }, [path, every, version]);
  return state.path === path ? state : { data: null, error: null, slow: state.slow };
}

/** events reads a stream of server-sent events: the text of each data by its event's name. */
async function events(path, signal, told) {
  const r = await fetch(path, { headers: { Accept: 'text/event-stream' }, signal, cache: 'no-store' });
  if (!r.ok) throw await refusal(r);
  const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new ApiError('CLOSED', 'the stream ended', '');
    rest += value;
    if (rest.length > 8 << 20) throw new ApiError('TOO_MUCH', 'an event is too long', '');
    for (let end; (end = rest.indexOf('\n\n')) >= 0; rest = rest.slice(end + 2)) {
      let name = 'message', data = '';
      for (const line of rest.slice(0, end).split('\n')) {
        if (line.startsWith('event: ')) name = line.slice(7);
        if (line.startsWith('data: ')) data += line.slice(6);
      }
      told(name, data);
    }
  }
}

const sleep = (ms, signal) => new Promise((done) => {
  const t = setTimeout(done, ms);
  signal.addEventListener('abort', () => { clearTimeout(t); done(); }, { once: true });
});

/**
 * useLive gives the newest overview. link says how it came: live (the stream), polling (asked for, while the stream is
 * down) or lost. A hidden page leaves the stream, since listeners are few.
 */
export function useLive(version) {
  const [state, set] = useState({ data: null, error: null, link: 'connecting', at: 0 });
  const stop = useRef(null);
  useEffect(() => {
    const got = (data, link) => set({ data, error: null, link, at: Date.now() });
    const failed = (error) => set((s) => ({ ...s, error, link: s.link === 'live' ? 'connecting' : 'lost' }));
    const run = async (signal) => {
      for (let wait = 1000; !signal.aborted; wait = Math.min(wait * 2, 15000)) {
        try {
          await events('v1/live', signal, (name, data) => {
            wait = 1000;
            if (name === 'overview') got(JSON.parse(data), 'live');
            if (name === 'failed') failed(new ApiError(...Object.values(JSON.parse(data))));
          });
        } catch (e) {
          if (signal.aborted) return;
          try {
            got(await call('v1/overview', undefined, signal), 'polling');
          } catch (error) {
            if (signal.aborted) return;
            failed(error);
          }
        }
        await sleep(wait, signal);
      }
    };
    const seen = () => {
      stop.current?.abort();
      if (document.hidden) return;
      stop.current = new AbortController();
      run(stop.current.signal);
    };
    seen();
    document.addEventListener('visibilitychange', seen);
    return () => { document.removeEventListener('visibilitychange', seen); stop.current?.abort(); };
  }, [version]);
  return state;
}
