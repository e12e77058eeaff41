/** Times as crash prints them, always in UTC: an answer does not depend on where it is asked. */

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = [
  'Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec',
]; // biome-ignore format: one table

const two = (value: number): string => String(value).padStart(2, '0');

/** `Sun Nov 22 06:42:10 UTC 2026`, from seconds since 1970. */
export function crashDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  // Beyond the year 275760: a damaged clock.
  if (Number.isNaN(date.getTime())) return `(${seconds} s since 1970)`;
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  const day = String(date.getUTCDate()).padStart(2);
  const name = `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]}`;
  return `${name} ${day} ${clock} UTC ${date.getUTCFullYear()}`;
}

/** `00:00:15`, `10 days, 14:14:39`. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const clock = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const count = Math.floor(whole / 86_400);
  return `${count > 0 ? `${count} days, ` : ''}${clock.map(two).join(':')}`;
}
