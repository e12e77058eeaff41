export function findProgram(name: string): string | undefined;
export function pathOf(name: string): string | undefined;
export function findSymbols(release: string): string | undefined;
