// Files as the browser hands them over: chosen, or dropped with folders within folders.

import { bytes, count } from "./words.js";

/** Returns the files of an input as {file, name}; `name` has the folders, where a folder was chosen. */
export function listChosen(input) {
  return [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
}

/** Returns all files of a drop as {file, name}, folders walked to the end. */
export async function listDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  // What a script drops has files but no entries.
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  return (await Promise.all(entries.map((entry) => walk(entry, "")))).flat();
}

async function walk(entry, folder) {
  const name = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((take, fail) => entry.file(take, fail)), name }];
  const found = [];
  for (const child of await readAll(entry.createReader())) found.push(...(await walk(child, `${name}/`)));
  return found;
}

async function readAll(reader) {
  const entries = [];
  for (;;) {
    // A reader gives a hundred at a time and nothing at the end.
    const some = await new Promise((take, fail) => reader.readEntries(take, fail));
    if (!some.length) return entries;
    entries.push(...some);
  }
}

/** Returns why these files are more than the server takes, or null. */
export function tooMuch(files, limits) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > limits.files) {
    const most = limits.files.toLocaleString("en");
    return `${count(files.length, "file")} are more than the ${most} that are taken at once. Add fewer.`;
  }
  if (total > limits.bytes) {
    return `${bytes(total)} are more than the ${bytes(limits.bytes)} that are taken at once. Add one study at a time.`;
  }
  return null;
}
