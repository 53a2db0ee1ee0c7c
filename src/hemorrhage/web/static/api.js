// The server's answers. Whatever fails becomes an ApiError with a sentence for people.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const GUARD = { "X-Hemorrhage": "1" };

/** Returns what GET `path` answers in JSON. */
export async function getJson(path) {
  return (await request(path)).json();
}

/** Sends a request that changes something, and returns the answer in JSON, null where it has none. */
export async function send(method, path, headers = {}) {
  const response = await request(path, { method, headers: { ...GUARD, ...headers } });
  return response.status === 204 ? null : response.json();
}

/** Returns a slice's HU: int16, `rows` x `columns`. */
export async function getPixels(series, index) {
  const raster = await getRaster(`/api/series/${series}/slices/${index}/pixels`);
  return { ...raster, pixelsHu: toInt16(raster.buffer) };
}

/** Returns a slice's saliency for a label: uint8, `rows` x `columns`. */
export async function getSaliency(series, index, label, method) {
  const query = new URLSearchParams({ method });
  const raster = await getRaster(`/api/series/${series}/slices/${index}/saliency/${label}?${query}`);
  return { ...raster, saliency: new Uint8Array(raster.buffer) };
}

/** Sends files and returns the upload's id; `onProgress` hears bytes sent and bytes in all. */
export function upload(files, onProgress) {
  const form = new FormData();
  for (const { file, name } of files) form.append("files", file, name);
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    call.onload = () => settle(call, resolve, reject);
    call.onerror = () => reject(new ApiError(`The files were not taken: the connection ended. ${TRY_FEWER}`, 0));
    call.open("POST", "/api/uploads");
    for (const [name, value] of Object.entries(GUARD)) call.setRequestHeader(name, value);
    call.send(form);
  });
}

const TRY_FEWER = "Send fewer files at a time, or see whether the server still runs.";

function settle(call, resolve, reject) {
  const answer = parse(call.responseText);
  if (call.status >= 200 && call.status < 300 && answer?.upload) resolve(answer.upload);
  else reject(new ApiError(answer?.error ?? `The server answered ${call.status} without a reason.`, call.status));
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new ApiError("The server does not answer. See whether it still runs, then reload the page.", 0);
  }
  if (response.ok) return response;
  const answer = parse(await response.text());
  throw new ApiError(answer?.error ?? `The server answered ${response.status} without a reason.`, response.status);
}

async function getRaster(path) {
  const response = await request(path);
  const [rows, columns] = ["X-Rows", "X-Columns"].map((name) => Number(response.headers.get(name)));
  return { rows, columns, buffer: await response.arrayBuffer() };
}

function toInt16(buffer) {
  if (LITTLE_ENDIAN) return new Int16Array(buffer);
  const view = new DataView(buffer);
  return Int16Array.from({ length: buffer.byteLength / 2 }, (_, at) => view.getInt16(2 * at, true));
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
