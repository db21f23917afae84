// The frame of every page: where one can go, whether the daemon answers, and the page of the address.

import { type ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asOf, client, connection, tokenWanted, useToken } from "./connection.ts";
import { isHelpOpen, keysNow, useKeys } from "./keys.ts";
import { pageOf, type PageProps, sections } from "./pages.tsx";
import { useAsked } from "./parts/asked.ts";
import { Dialog } from "./parts/dialog.tsx";
import { KeysIcon, SunIcon } from "./parts/icons.tsx";
import { Banner, Wrong } from "./parts/said.tsx";
import { lengthOf, now } from "./parts/time.tsx";
import { go, place } from "./router.ts";
import { nextTheme, theme } from "./theme.ts";

const stateWords = { live: "live", lost: "no connection", connecting: "connecting" } as const;

export function App() {
  useKeys([
    { key: "?", says: "show the keys", does: () => (isHelpOpen.value = true) },
    ...sections.map(({ href, name }, index) => ({
      key: String(index + 1),
      says: `go to ${name.toLowerCase()}`,
      does: () => go(href),
    })),
  ]);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Rail />
      <main id="main" tabIndex={-1}>
        <LostBanner />
        {tokenWanted.value === null ? <Page /> : <TokenPrompt />}
      </main>
      {isHelpOpen.value && <KeysHelp />}
    </div>
  );
}

function Rail() {
  const version = useAsked(() => client.version(), ["version"]);
  const nav = useRef<HTMLElement>(null);
  // On a narrow screen not all of them fit: where one is has to be in sight.
  useEffect(() => {
    const here = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (nav.current && here) nav.current.scrollLeft = here.offsetLeft - nav.current.offsetLeft;
  }, [place.value.path]);
  return (
    <header class="rail">
      <a class="brand" href="/executions" aria-label="troupe, all executions">
        <Mark />
        <span>troupe</span>
      </a>
      <nav aria-label="Pages" ref={nav}>
        {sections.map(({ href, name, icon: Sign }) => (
          <a key={href} href={href} aria-current={place.value.path.startsWith(href) ? "page" : undefined}>
            <Sign />
            {name}
          </a>
        ))}
      </nav>
      <div class="rail-foot">
        <div class="health" data-state={connection.value} role="status">
          <span>
            {stateWords[connection.value]}
            {version.value && <span class="muted"> · {version.value.version}</span>}
          </span>
        </div>
        <div class="row">
          <button type="button" class="quiet small" onClick={nextTheme} aria-label={`Colours: ${theme.value}`}>
            <SunIcon />
            {theme.value}
          </button>
          <button
            type="button"
            class="quiet small"
            onClick={() => (isHelpOpen.value = true)}
            aria-label="Keys of the keyboard"
            title="Keys (?)"
          >
            <KeysIcon />
          </button>
        </div>
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#5b4bdb" />
      <path d="M8 10h16M16 10v8M10 23h12" stroke="#fff" stroke-width="3" stroke-linecap="round" fill="none" />
      <circle cx="16" cy="22" r="3.5" fill="#ffd166" />
    </svg>
  );
}

function LostBanner() {
  if (connection.value !== "lost") return null;
  return (
    <Banner>
      <strong>The daemon does not answer.</strong>
      <span class="grow">
        Showing data as of {new Date(asOf.value).toLocaleTimeString()}, {lengthOf(now.value - asOf.value)} ago. This
        page goes on by itself as soon as it is back: <code>npx troupe up</code>
      </span>
    </Banner>
  );
}

function Page() {
  const { path, query } = place.value;
  const { load, params, title } = pageOf(path);
  const [shown, setShown] = useState<{ load: typeof load; view: ComponentType<PageProps> } | undefined>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    let isLeft = false;
    document.title = `${title(params)} · troupe`;
    load().then(
      (view) => {
        sessionStorage.removeItem(anewKey);
        if (!isLeft) setShown({ load, view });
      },
      (reason: unknown) => {
        if (!isLeft && !loadedAnew(path)) setError(reason);
      },
    );
    return () => {
      isLeft = true;
    };
  }, [path]);
  if (error !== undefined) return <Wrong error={error} />;
  if (!shown || shown.load !== load) return <div class="waiting-line" role="progressbar" aria-label="loading" />;
  const View = shown.view;
  return <View params={params} query={query} key={path} />;
}

const anewKey = "troupe.anew";

/** After the daemon was replaced by a newer one its parts of pages have other names: the page comes anew, once. */
function loadedAnew(path: string): boolean {
  if (connection.value === "lost" || sessionStorage.getItem(anewKey) === path) return false;
  sessionStorage.setItem(anewKey, path);
  location.reload();
  return true;
}

function TokenPrompt() {
  const [text, setText] = useState("");
  const isRefused = tokenWanted.value === "refused";
  return (
    <section class="panel padded token-prompt">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          useToken(text.trim());
        }}
      >
        <h1>A token is needed</h1>
        <p class="muted">
          This daemon lets nobody in without one. Whoever runs it makes one with <code>troupe token create</code>.
        </p>
        <div class="field">
          <label for="token">Token</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            value={text}
            aria-invalid={isRefused}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          {isRefused && <span class="wrong">The daemon refused this token: it is unknown, or was revoked.</span>}
          <span class="hint">It is kept in this tab until it is closed, and nowhere else.</span>
        </div>
        <div class="row">
          <button class="primary" disabled={text.trim() === ""}>
            Go on
          </button>
        </div>
      </form>
    </section>
  );
}

function KeysHelp() {
  return (
    <Dialog title="Keys" onClose={() => (isHelpOpen.value = false)}>
      <dl class="facts">
        {keysNow().map(({ key, says }) => (
          <>
            <dt key={key}>
              <kbd>{key}</kbd>
            </dt>
            <dd>{says}</dd>
          </>
        ))}
      </dl>
      <div class="row end">
        <button type="button" onClick={() => (isHelpOpen.value = false)}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
