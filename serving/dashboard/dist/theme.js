// Before anything is drawn, so that a dark room stays dark.
try {
  const theme = localStorage.getItem('freshet.theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // storage is closed to us: the system's preference holds
}
