// The bundle must be the same bytes wherever it is built: no dates, no paths, names from content.
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
  },
  // For work on the page: npx vite, beside a running freshet.
  server: { proxy: { '/v1': process.env.FRESHET_URL || 'http://127.0.0.1:7071' } },
});
