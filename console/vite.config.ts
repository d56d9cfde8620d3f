import { defineConfig } from "vite";

// Assets are served below /console/ by the API; CI and `make console` give the output directory by --outDir.
export default defineConfig({
  base: "/console/",
  build: { assetsInlineLimit: 0, chunkSizeWarningLimit: 5000, modulePreload: { polyfill: false } },
});
