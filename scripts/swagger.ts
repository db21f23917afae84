// Puts Swagger UI beside the pages, so that the package brings what it serves and needs nothing from elsewhere.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const from = fileURLToPath(new URL("../node_modules/swagger-ui-dist", import.meta.url));

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>troupe: the HTTP interface</title>
    <link rel="stylesheet" href="/swagger.ui/swagger-ui.css" />
    <link rel="icon" type="image/png" href="/swagger.ui/favicon-32x32.png" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/swagger.ui/swagger-ui-bundle.js"></script>
    <script src="/swagger.ui/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  displayRequestDuration: true,
  // Nobody else is asked whether the document is right.
  validatorUrl: null,
});
`;

/** Into the folder `swagger.ui` of the built pages. */
export function copySwagger(pages: string): void {
  const folder = join(pages, "swagger.ui");
  mkdirSync(folder, { recursive: true });
  for (const name of ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "LICENSE", "NOTICE"]) {
    copyFileSync(join(from, name), join(folder, name === "LICENSE" || name === "NOTICE" ? `${name}.txt` : name));
  }
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "start.js"), start);
}
