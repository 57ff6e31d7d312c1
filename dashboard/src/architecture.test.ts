import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const ROOT = join(process.cwd(), "src");

/** The folders of `src`, lowest first. A file may import from its own layer and from those before it. */
const LAYERS = ["api", "components", "hooks", "queries", "live", "login", "modules", "app"] as const;

/** What a view must not reach, not even through another file: a view gets its data as properties. */
const DATA_SOURCES = /^(queries|live|login)\/|^api\/(client|credential)\.ts$|^hooks\/use-query-state\.ts$/;

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 80;
const MAX_TEST_NAME = 80;
const TWO_WORDS = /^[A-Z][a-z0-9]+([A-Z][a-z0-9]*)+$/;

interface SourceFile {
  /** The path below `src`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  /** The files below `src` that it imports at run time. Imports of types alone are not among them. */
  readonly imports: readonly string[];
  /** All files below `src` that it imports, also for their types. */
  readonly allImports: readonly string[];
}

const paths = new Set(
  readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
);

function resolve(from: string, specifier: string): string | undefined {
  const base = specifier.startsWith("@/")
    ? specifier.slice(2)
    : specifier.startsWith(".")
      ? join(dirname(from), specifier)
      : undefined;
  return base === undefined ? undefined : [`${base}.ts`, `${base}.tsx`].find((path) => paths.has(path));
}

/** The modules that a file names, in its import and export declarations and in calls of `import()`. */
function specifiers(tree: ts.SourceFile): { specifier: string; typeOnly: boolean }[] {
  const found: { specifier: string; typeOnly: boolean }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const bindings = node.importClause?.namedBindings;
      const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : undefined;
      const onlyTypes = !node.importClause?.name && named !== undefined && named.every((one) => one.isTypeOnly);
      const typeOnly = Boolean(node.importClause?.isTypeOnly) || onlyTypes;
      found.push({ specifier: node.moduleSpecifier.text, typeOnly });
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.push({ specifier: argument.text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function read(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8");
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const resolved = specifiers(tree).flatMap(({ specifier, typeOnly }) => {
    const file = resolve(path, specifier);
    return file ? [{ file, typeOnly }] : [];
  });
  const imports = resolved.filter((one) => !one.typeOnly).map((one) => one.file);
  return { path, text, tree, imports, allImports: resolved.map((one) => one.file) };
}

const isTest = (path: string) => /\.test\.tsx?$|^testing\//.test(path);
const everything = [...paths].filter((path) => path !== "api/schema.ts").map(read);
const sources = everything.filter(({ path }) => !isTest(path));
const byPath = new Map(sources.map((file) => [file.path, file]));

/** The circles of a graph, each as the names along it. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (name: string, trail: readonly string[]) => {
    if (trail.includes(name)) found.push([...trail.slice(trail.indexOf(name)), name].join(" -> "));
    if (done.has(name) || trail.includes(name)) return;
    for (const next of graph.get(name) ?? []) walk(next, [...trail, name]);
    done.add(name);
  };
  for (const name of graph.keys()) walk(name, []);
  return found;
}

function layer(path: string): number {
  return LAYERS.findIndex((name) => path.startsWith(`${name}/`));
}

/** Every file that is reached from one at run time, with the files on the way there. */
function reached(from: string): Map<string, string[]> {
  const trails = new Map<string, string[]>([[from, [from]]]);
  for (const [path, trail] of trails)
    for (const next of byPath.get(path)?.imports ?? []) if (!trails.has(next)) trails.set(next, [...trail, next]);
  return trails;
}

function functionName(node: ts.Node): string {
  const named = node as { name?: ts.Node; parent?: { name?: ts.Node } };
  return (named.name ?? named.parent?.name)?.getText() ?? "(anonymous)";
}

/** Every function with its name and its number of lines. */
function functions({ tree }: SourceFile): { name: string; lines: number }[] {
  const found: { name: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const lineOf = (position: number) => tree.getLineAndCharacterOfPosition(position).line;
      found.push({ name: functionName(node), lines: lineOf(node.end) - lineOf(node.getStart()) + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** The components that a file declares: functions with a capital letter that are not types. */
function components({ path, tree }: SourceFile): string[] {
  if (!path.endsWith(".tsx")) return [];
  return tree.statements.flatMap((statement) => {
    if (ts.isFunctionDeclaration(statement)) return statement.name ? [statement.name.text] : [];
    if (!ts.isVariableStatement(statement)) return [];
    return statement.declarationList.declarations
      .filter(({ initializer }) => initializer && (ts.isCallExpression(initializer) || ts.isArrowFunction(initializer)))
      .map((declaration) => declaration.name.getText());
  });
}

function exportedComponents(file: SourceFile): string[] {
  return components(file).filter((name) => isComponentName(name) && file.text.includes(`export function ${name}`));
}

const isComponentName = (name: string) => /^[A-Z]/.test(name) && !/^[A-Z0-9_]+$/.test(name);

describe("imports", () => {
  test("every file belongs to a layer", () => {
    expect(sources.filter(({ path }) => layer(path) < 0).map(({ path }) => path)).toEqual([]);
  });

  test("a file imports only from its own layer and the layers below", () => {
    const upward = sources.flatMap(({ path, allImports }) =>
      allImports.filter((target) => layer(target) > layer(path)).map((target) => `${path} -> ${target}`),
    );
    expect(upward).toEqual([]);
  });

  test("files do not import each other in circles, not even for types", () => {
    expect(circles(new Map(sources.map(({ path, allImports }) => [path, allImports])))).toEqual([]);
  });

  test("folders of modules do not import each other in circles", () => {
    const folders = new Map<string, string[]>();
    for (const { path, allImports } of sources.filter(({ path }) => path.startsWith("modules/"))) {
      const targets = allImports.filter((target) => target.startsWith("modules/")).map(dirname);
      const others = targets.filter((folder) => folder !== dirname(path));
      folders.set(dirname(path), [...(folders.get(dirname(path)) ?? []), ...others]);
    }
    expect(folders.size).toBeGreaterThan(5);
    expect(circles(folders)).toEqual([]);
  });

  test("no page imports from the folder of another page", () => {
    const area = (path: string) => path.split("/")[1];
    const across = sources
      .filter(({ path }) => path.startsWith("app/"))
      .flatMap(({ path, allImports }) =>
        allImports
          .filter((target) => target.startsWith("app/") && area(target) !== area(path))
          .filter((target) => target.split("/").length > 2)
          .map((target) => `${path} -> ${target}`),
      );
    expect(across).toEqual([]);
  });
});

describe("pages", () => {
  const pages = sources.filter(({ path }) => /^app\/(.*\/)?page\.tsx$/.test(path));

  test("every page has exactly one view in its folder", () => {
    expect(pages.length).toBeGreaterThan(20);
    const views = (folder: string) =>
      sources.filter(({ path }) => dirname(path) === folder && path.endsWith("-view.tsx")).map(({ path }) => path);
    const wrong = pages
      .map(({ path }) => [path, views(dirname(path))] as const)
      .filter(([, found]) => found.length !== 1);
    expect(wrong).toEqual([]);
  });

  test("a view reads no data, neither itself nor through what it imports", () => {
    const impure = sources
      .filter(({ path }) => path.endsWith("-view.tsx"))
      .flatMap(({ path }) => [...reached(path)].filter(([target]) => DATA_SOURCES.test(target)))
      .map(([, trail]) => trail.join(" -> "));
    expect(impure).toEqual([]);
  });
});

describe("names", () => {
  const declared = sources.flatMap((file) =>
    components(file)
      .filter(isComponentName)
      .map((name) => ({ name, path: file.path })),
  );

  test("every component has a name of at least two words", () => {
    expect(declared.length).toBeGreaterThan(150);
    expect(declared.filter(({ name }) => !TWO_WORDS.test(name))).toEqual([]);
  });

  test("no two components have the same name", () => {
    const seen = new Map<string, string>();
    const repeated = declared.filter(({ name, path }) => {
      const first = seen.get(name);
      seen.set(name, path);
      return first !== undefined;
    });
    expect(repeated).toEqual([]);
  });

  test("the name of every test fits on a line", () => {
    const browser = readdirSync(join(process.cwd(), "e2e")).map((name) => ({
      text: readFileSync(join(process.cwd(), "e2e", name), "utf8"),
    }));
    const names = [...everything.filter(({ path }) => isTest(path)), ...browser].flatMap(({ text }) =>
      [...text.matchAll(/^\s*test(?:\.each\([\s\S]*?\]\))?\(\s*"([^"]+)"/gm)].map(([, name]) => name ?? ""),
    );
    expect(names.length).toBeGreaterThan(90);
    expect(names.filter((name) => name.length > MAX_TEST_NAME)).toEqual([]);
  });
});

describe("the index of components", () => {
  const samples = sources.filter(({ path }) => path.startsWith("app/components/"));
  const text = samples.map((file) => file.text).join("\n");

  test("every shared component is on the index page", () => {
    const shared = sources
      .filter(({ path }) => path.startsWith("components/"))
      .flatMap((file) => exportedComponents(file));
    expect(shared.length).toBeGreaterThan(30);
    expect(shared.filter((name) => !new RegExp(`<${name}\\b|\`${name}\``).test(text))).toEqual([]);
  });

  test("no other page links to the index page", () => {
    const links = sources.filter(
      ({ path, text }) => !path.startsWith("app/components/") && text.includes('"/components/'),
    );
    expect(links.map(({ path }) => path)).toEqual([]);
  });
});

describe("sizes", () => {
  test("no file is longer than 400 lines", () => {
    const long = everything.map(({ path, text }) => ({ path, lines: text.split("\n").length }));
    expect(long.filter(({ lines }) => lines > MAX_FILE_LINES)).toEqual([]);
  });

  test("no function is longer than 80 lines", () => {
    const long = sources.flatMap((file) => functions(file).map((one) => ({ path: file.path, ...one })));
    expect(long.length).toBeGreaterThan(500);
    expect(long.filter(({ lines }) => lines > MAX_FUNCTION_LINES)).toEqual([]);
  });
});
