// Puts the pages into the document.

import { render } from "preact";
import { App } from "./app.tsx";
import { watchKeys } from "./keys.ts";
import { watchPlace } from "./router.ts";
import { applyTheme } from "./theme.ts";

applyTheme();
watchPlace();
watchKeys();
const root = document.getElementById("troupe");
if (root) render(<App />, root);
