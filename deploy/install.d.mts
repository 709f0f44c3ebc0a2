/** Why the packages in this folder must be installed, or null when what the lockfile asks for is there. */
export function whyInstall(folder: string): string | null
