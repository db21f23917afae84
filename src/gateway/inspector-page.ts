// The page at the inspector's port: it holds the hosted inspector in a frame, and hands it what the daemon sends.
//
//   daemon ─WebSocket─▶ this page ─postMessage, to that origin alone─▶ the inspector in its frame
//
// What is shown in the frame is a page of somebody else. While it cannot be reached the page says so, and where our own
// pages are; the frame itself is only there once it has said that it listens.

export type PageSettings = {
  /** Where the inspector is. */
  inspectorUrl: string;
  /** Where our own pages are, if they are served. */
  pagesUrl: string | null;
};

type Served = { type: string; text: string };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

/** What the page may load: its own script and style, and in its frame the inspector. */
export const policyOf = ({ inspectorUrl }: PageSettings): string => {
  const { origin } = new URL(inspectorUrl);
  return [
    "default-src 'self'",
    `frame-src ${origin}`,
    `connect-src 'self' ${origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join("; ");
};

export const pageFiles = (settings: PageSettings): ReadonlyMap<string, Served> =>
  new Map([
    ["/", { type: "text/html; charset=utf-8", text: htmlOf(settings) }],
    ["/bridge.js", { type: "text/javascript; charset=utf-8", text: script }],
    ["/icon.svg", { type: "image/svg+xml", text: icon }],
    ["/bridge.css", { type: "text/css; charset=utf-8", text: style }],
  ]);

const htmlOf = ({ inspectorUrl, pagesUrl }: PageSettings): string => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>troupe · Stately Inspector</title>
  <link rel="icon" href="/icon.svg">
  <link rel="stylesheet" href="/bridge.css">
  <script src="/bridge.js" defer></script>
</head>
<body data-inspector="${escaped(inspectorUrl)}" data-pages="${escaped(pagesUrl ?? "")}">
  <header>
    <strong>troupe</strong>
    <label>Show <select id="execution"><option value="">all that is at work</option></select></label>
    <label>as <select id="speed">
      <option value="live">it happens</option>
      <option value="1">it happened</option>
      <option value="10">it happened, 10 × as fast</option>
      <option value="100">it happened, 100 × as fast</option>
      <option value="0">it happened, at once</option>
    </select></label>
    <span id="state" role="status"></span>
    <a id="pages" hidden>troupe's own pages</a>
  </header>
  <main>
    <section id="said" hidden>
      <h1 id="title"></h1>
      <p id="text"></p>
      <p><button id="again">Try again</button> <a id="own" hidden>Open troupe's own pages: they need no network</a></p>
      <form id="door" hidden>
        <label>Token <input id="token" type="password" autocomplete="off"></label> <button>Use it</button>
      </form>
    </section>
    <iframe id="inspector" title="Stately Inspector" referrerpolicy="no-referrer" hidden></iframe>
  </main>
</body>
</html>
`;

// Written for browsers as they are; nothing builds it.
const script = `"use strict";
const find = (id) => document.getElementById(id);
const inspector = new URL(document.body.dataset.inspector);
const pages = document.body.dataset.pages;
const asked = new URLSearchParams(location.search);
const frame = find("inspector");
const answerMs = 15000;
const againMs = 2000;
const listMs = 5000;
let token = asked.get("access_token") ?? sessionStorage.getItem("troupe.token") ?? "";
let socket = null;
let patience = 0;
let round = 0;

if (asked.has("access_token")) {
  // A secret is not to stay in the history.
  sessionStorage.setItem("troupe.token", token);
  asked.delete("access_token");
  history.replaceState(null, "", location.pathname + (asked.size > 0 ? "?" + asked : ""));
}

function say(title, text, { door = false } = {}) {
  find("said").hidden = false;
  frame.hidden = true;
  find("title").textContent = title;
  find("text").textContent = text;
  find("door").hidden = !door;
  find("again").hidden = door;
}

function state(text) {
  find("state").textContent = text;
}

/** Links to our own pages lead to what is shown, and only one execution can be replayed. */
function lead() {
  const execution = find("execution").value;
  find("speed").disabled = execution === "";
  for (const link of [find("pages"), find("own")]) {
    link.hidden = pages === "";
    if (pages !== "") link.href = execution === "" ? pages : new URL("/executions/" + execution, pages).href;
  }
}

async function listExecutions() {
  const answer = await fetch("/executions", { headers: token === "" ? {} : { authorization: "Bearer " + token } });
  if (answer.status === 401) {
    say("A token is needed", "This daemon lets in whoever has one. It stays in this tab.", { door: true });
    return false;
  }
  if (!answer.ok) throw new Error("the daemon answers with " + answer.status);
  const { items } = await answer.json();
  const select = find("execution");
  const chosen = select.value || asked.get("execution") || "";
  const options = items.map(({ exec_id, id, status, created_at }) => {
    return new Option(id + " · " + status.toLowerCase() + " · " + created_at.slice(0, 19).replace("T", " "), exec_id);
  });
  if (chosen !== "" && !items.some(({ exec_id }) => exec_id === chosen)) options.unshift(new Option(chosen, chosen));
  select.replaceChildren(new Option("all that is at work", ""), ...options);
  select.value = chosen;
  lead();
  return true;
}

/** Begins anew: what the inspector has seen so far is gone with its page. */
async function begin() {
  const mine = (round += 1);
  clearTimeout(patience);
  hangUp();
  state("");
  frame.removeAttribute("src");
  say("Opening the inspector …", "It is a page of " + inspector.host + ", and is shown what this daemon sends here.");
  try {
    if (!(await listExecutions()) || mine !== round) return;
  } catch (error) {
    if (mine === round) say("The daemon does not answer", "Is it still running, and with --inspect? " + error.message);
    return;
  }
  try {
    await fetch(inspector, { mode: "no-cors", credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" });
  } catch {
    if (mine !== round) return;
    say(
      "The inspector cannot be reached",
      "The Stately Inspector is a page on the network, at " + inspector.href + ", and this browser does not get there: "
        + "you may be offline. Nothing else of troupe needs the network.",
    );
    return;
  }
  if (mine !== round) return;
  frame.src = inspector.href;
  patience = setTimeout(() => {
    say("The inspector does not answer", inspector.href + " was reached, and has not said that it listens.");
  }, answerMs);
}

function hangUp() {
  if (socket === null) return;
  socket.onclose = null;
  socket.onmessage = null;
  socket.close();
  socket = null;
}

function listen() {
  hangUp();
  const url = new URL("/feed", location.href.replace(/^http/, "ws"));
  const execution = find("execution").value;
  const speed = find("speed").value;
  if (execution !== "") url.searchParams.set("execution", execution);
  if (execution !== "" && speed !== "live") url.searchParams.set("speed", speed);
  if (token !== "") url.searchParams.set("access_token", token);
  const mine = (socket = new WebSocket(url));
  state("connecting …");
  mine.onopen = () => state(execution !== "" && speed !== "live" ? "replaying …" : "live");
  mine.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type.startsWith("troupe.")) return state(message.text);
    frame.contentWindow.postMessage(message, inspector.origin);
  };
  mine.onclose = ({ reason }) => {
    state(reason || "the daemon is gone; trying again …");
    if (reason === "") setTimeout(() => mine === socket && listen(), againMs);
  };
}

addEventListener("message", (event) => {
  if (event.source !== frame.contentWindow || event.origin !== inspector.origin) return;
  if (event.data === null || typeof event.data !== "object" || event.data.type !== "@statelyai.connected") return;
  clearTimeout(patience);
  find("said").hidden = true;
  frame.hidden = false;
  listen();
});
addEventListener("online", begin);
find("again").addEventListener("click", begin);
find("execution").addEventListener("change", begin);
find("speed").addEventListener("change", begin);
find("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token = find("token").value;
  sessionStorage.setItem("troupe.token", token);
  begin();
});
setInterval(() => {
  if (document.hidden || document.activeElement === find("execution")) return;
  listExecutions().catch((error) => state("the list of executions is of before: " + error.message));
}, listMs);
if (asked.has("speed")) find("speed").value = asked.get("speed");
begin();
`;

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
  <circle cx="8" cy="8" r="6" fill="#6d5ae6"/>
</svg>`;

const style = `:root { color-scheme: light dark; --line: light-dark(#e3e3ea, #2a2a34); }
:root { --bg: light-dark(#f6f6f9, #0f0f13); --panel: light-dark(#fff, #17171d); --text: light-dark(#17171c, #ededf2); }
:root { --muted: light-dark(#5e5e6b, #a1a1b0); --accent: light-dark(#5142d1, #a59bff); }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 14px/1.5 system-ui, sans-serif; }
body { background: var(--bg); color: var(--text); }
header { display: flex; flex-wrap: wrap; gap: 6px 16px; align-items: center; padding: 8px 16px; }
header { border-bottom: 1px solid var(--line); background: var(--panel); }
header a { margin-left: auto; }
label { color: var(--muted); }
select, button, input { font: inherit; color: var(--text); max-width: 46ch; padding: 4px 10px; }
select, button, input { border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
button { cursor: pointer; margin-right: 10px; }
:is(select, button, input, a):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
select:disabled { opacity: 0.5; }
main { flex: 1; min-height: 0; display: flex; }
iframe { flex: 1; border: 0; }
section { margin: 12vh auto auto; padding: 28px 32px; max-width: 66ch; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; }
h1 { font-size: 20px; line-height: 1.3; margin: 0 0 8px; }
#text { color: var(--muted); overflow-wrap: anywhere; }
#state { color: var(--muted); font-variant-numeric: tabular-nums; }
a { color: var(--accent); }
`;
