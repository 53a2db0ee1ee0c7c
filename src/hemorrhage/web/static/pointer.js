// Mouse, pen and fingers on the stage. The right button always windows and the middle one pans; the left one and one
// finger do what the chosen tool says; two fingers zoom and pan.

import { dragWindow } from "./windowing.js";

const WHEEL_STEP = 40;
const ZOOM_SPEED = 200;

/** Listens on the stage; `tools.current` is scroll, window, zoom, pan or rule. */
export function followPointers(stage, reading, tools, ruler) {
  const { element } = stage;
  const fingers = new Map();
  let drag = null;

  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener("wheel", wheelOf(stage, reading), { passive: false });
  element.addEventListener("pointerdown", (event) => {
    const point = pointOf(event, element);
    if (event.pointerType === "touch") fingers.set(event.pointerId, point);
    element.setPointerCapture(event.pointerId);
    drag?.end?.();
    drag = fingers.size === 2 ? pinch(stage, fingers) : begin(event, point);
    if (event.button === 1) event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    const point = pointOf(event, element);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, point);
    drag?.move(point);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      drag?.end?.();
      drag = null;
    });
  }

  function begin(event, point) {
    const name = { 1: "pan", 2: "window" }[event.button] ?? tools.current;
    return { scroll, window: windowing, zoom: zooming, pan: panning, rule: (start) => ruler.drag(start) }[name](point);
  }

  function scroll(start) {
    const from = reading.index;
    const step = Math.max(element.clientHeight / Math.max(reading.slices.length, 12) / 1.5, 6);
    return { move: (point) => reading.go(from + Math.trunc((point.y - start.y) / step)) };
  }

  function windowing(start) {
    const from = reading.window;
    return { move: (point) => reading.setWindow(dragWindow(from, point.x - start.x, point.y - start.y)) };
  }

  function zooming(start) {
    let last = start;
    return {
      move(point) {
        stage.zoom(Math.exp((last.y - point.y) / ZOOM_SPEED), start);
        last = point;
      },
    };
  }

  function panning(start) {
    let last = start;
    return {
      move(point) {
        stage.pan(point.x - last.x, point.y - last.y);
        last = point;
      },
    };
  }
}

function pinch(stage, fingers) {
  let last = spread(fingers);
  return {
    move() {
      const now = spread(fingers);
      stage.pan(now.middle.x - last.middle.x, now.middle.y - last.middle.y);
      stage.zoom(now.distance / last.distance, now.middle);
      last = now;
    },
  };
}

function spread(fingers) {
  const [one, other] = [...fingers.values()];
  return {
    distance: Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1),
    middle: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 },
  };
}

function wheelOf(stage, reading) {
  let gathered = 0;
  return (event) => {
    event.preventDefault();
    // A wheel turns in lines or pages in some browsers; a touchpad sends many small steps.
    const delta = event.deltaY * [1, WHEEL_STEP, 10 * WHEEL_STEP][event.deltaMode];
    if (event.ctrlKey) return stage.zoom(Math.exp(-delta / ZOOM_SPEED), pointOf(event, stage.element));
    // Another direction counts from where it begins.
    gathered = Math.sign(delta) === Math.sign(gathered) ? gathered + delta : delta;
    const steps = Math.trunc(gathered / WHEEL_STEP);
    gathered -= steps * WHEEL_STEP;
    if (steps) reading.step(Math.sign(steps) * Math.min(Math.abs(steps), 3));
  };
}

/** Returns where a pointer is, in pixels from the stage's upper left corner. */
export function pointOf(event, element) {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}
