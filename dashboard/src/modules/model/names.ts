/** How a session names a model of the registry. */
export function registryName(name: string, aliasOrVersion: string): string {
  return `registry/${name}@${aliasOrVersion}`;
}

/** Where a session that runs on a model is begun. */
export function sessionOn(model: string): string {
  return `/sessions/new/?model=${encodeURIComponent(model)}`;
}

export function versionPage(name: string, version: string): string {
  return `/model/?name=${encodeURIComponent(name)}&version=${encodeURIComponent(version)}`;
}
