// The address holds view and filters: #/models?model=late&metric=roc_auc. Whoever gets the address sees the same.
import { useEffect, useState } from 'preact/hooks';

function read() {
  const [path, query = ''] = window.location.hash.replace(/^#\/?/, '').split('?');
  return { view: path || 'flow', q: Object.fromEntries(new URLSearchParams(query)) };
}

export function href(view, q = {}) {
  const kept = Object.entries(q).filter(([, v]) => v !== undefined && v !== null && v !== '');
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${query ? `?${query}` : ''}`;
}

export function useRoute() {
  const [route, set] = useState(read);
  useEffect(() => {
    const changed = () => set(read());
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  /** filter changes some filters of this view, and keeps the way back short. */
  const filter = (some) => {
    window.history.replaceState(null, '', href(route.view, { ...route.q, ...some }));
    set(read());
  };
  return { ...route, filter };
}
