// Where the image lies on the stage. A view is a zoom, 1 where all of the image shows, and a shift in stage pixels.

export const WHOLE = { zoom: 1, x: 0, y: 0 };
const ZOOMS = [0.5, 16];

/** Returns how tall a pixel is against its width; 1 where the header gives no spacing. */
export function aspectOf(spacingMm) {
  return spacingMm ? spacingMm[0] / spacingMm[1] : 1;
}

/** Returns where the image's upper left corner lies and how large its pixels are, in stage pixels. */
export function place(view, stage, image) {
  const fit = Math.min(stage.width / image.columns, stage.height / (image.rows * image.aspect));
  const scaleX = fit * view.zoom;
  const scaleY = scaleX * image.aspect;
  return {
    left: stage.width / 2 + view.x - (image.columns / 2) * scaleX,
    top: stage.height / 2 + view.y - (image.rows / 2) * scaleY,
    scaleX,
    scaleY,
  };
}

/** Returns the image point, in pixels from the upper left corner, under a stage point. */
export function toImage(point, placed) {
  return { x: (point.x - placed.left) / placed.scaleX, y: (point.y - placed.top) / placed.scaleY };
}

/** Returns the stage point over an image point. */
export function toStage(point, placed) {
  return { x: placed.left + point.x * placed.scaleX, y: placed.top + point.y * placed.scaleY };
}

/** Returns the view zoomed by `factor` so that what lies under `point` stays there. */
export function zoomAt(view, factor, point, stage) {
  const zoom = Math.min(Math.max(view.zoom * factor, ZOOMS[0]), ZOOMS[1]);
  const real = zoom / view.zoom;
  const fromCenter = { x: point.x - stage.width / 2, y: point.y - stage.height / 2 };
  return {
    zoom,
    x: fromCenter.x - (fromCenter.x - view.x) * real,
    y: fromCenter.y - (fromCenter.y - view.y) * real,
  };
}

/** Returns the view moved by stage pixels, its center never further off than the image reaches. */
export function panBy(view, dx, dy, stage) {
  const within = (value, side) => Math.min(Math.max(value, (-side * view.zoom) / 2), (side * view.zoom) / 2);
  return { zoom: view.zoom, x: within(view.x + dx, stage.width), y: within(view.y + dy, stage.height) };
}
