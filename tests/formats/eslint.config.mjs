// What is wrong with the assets' JavaScript: eslint's recommended rules, and what a page of plain scripts wants besides.
// A file's names at its left edge are seen by all that follow it in the page; so they are known, and nothing else is.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const from = createRequire(join(process.env.NODE_MODULES, "eslint/package.json"));
const assets = process.env.ASSETS;
const names = (text) => [...text.matchAll(/^(?:const|let|class|(?:async )?function)\s+(\w+)/gm)].map(([, name]) => name);
const report = join(assets, "report");
const shared = readdirSync(report)
  .filter((file) => file.endsWith(".js"))
  .flatMap((file) => names(readFileSync(join(report, file), "utf8")));
const known = (own, mode) => Object.fromEntries(own.map((name) => [name, mode]));

export default [
  from("@eslint/js").configs.recommended,
  {
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: "script",
      globals: from("globals").browser,
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": "error",
      eqeqeq: "error",
      "no-self-compare": "error",
      "no-throw-literal": "error",
      "no-unused-expressions": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }],
      "no-useless-return": "error",
      "no-var": "error",
      "prefer-const": "error",
      radix: "error",
    },
  },
  {
    files: ["report/*.js"],
    languageOptions: { globals: known(shared, "readonly") },
    rules: { "no-redeclare": ["error", { builtinGlobals: false }], "no-unused-vars": ["error", { vars: "local" }] },
  },
];
