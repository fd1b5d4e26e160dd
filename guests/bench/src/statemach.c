/* A state machine that takes random text apart into names, numbers, strings, comments and operators: branches that nobody foresees. */
#include "bench.h"

#define SIZE 32768

const char bench_name[] = "statemach";

enum { BLANK, NAME, NUMBER, HEX, FRACTION, STRING, ESCAPE, SLASH, COMMENT, STAR, OPERATOR, STATES };

static char text[SIZE];

static u32 is_letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
static u32 is_digit(char c) { return c >= '0' && c <= '9'; }

static u32 begin(char c) {
  if (is_letter(c)) return NAME;
  if (is_digit(c)) return NUMBER;
  if (c == '"') return STRING;
  if (c == '/') return SLASH;
  if (c == ' ') return BLANK;
  return OPERATOR;
}

static u32 scan(u32 seed) {
  u32 counts[STATES] = {0}, state = BLANK, sum = seed, value = 0;
  for (u32 i = 0; i < SIZE; i++) {
    char c = text[i];
    switch (state) {
      case NAME:
        if (!is_letter(c) && !is_digit(c)) state = begin(c);
        else sum = sum * 31 + (u8)c;
        break;
      case NUMBER:
        if (is_digit(c)) value = value * 10 + (u32)(c - '0');
        else if (c == 'x' && value == 0) state = HEX;
        else if (c == '.') state = FRACTION;
        else sum ^= value, value = 0, state = begin(c);
        break;
      case HEX:
        if (is_digit(c)) value = value * 16 + (u32)(c - '0');
        else if (c >= 'a' && c <= 'f') value = value * 16 + (u32)(c - 'a' + 10);
        else sum += value, value = 0, state = begin(c);
        break;
      case FRACTION:
        if (!is_digit(c)) sum -= value, value = 0, state = begin(c);
        break;
      case STRING:
        if (c == '\\') state = ESCAPE;
        else if (c == '"') state = BLANK;
        break;
      case ESCAPE: state = STRING; break;
      case SLASH: state = c == '*' ? COMMENT : begin(c); break;
      case COMMENT:
        if (c == '*') state = STAR;
        break;
      case STAR:
        if (c == '/') state = BLANK;
        else if (c != '*') state = COMMENT;
        break;
      default: state = begin(c); break;
    }
    counts[state]++;
  }
  for (u32 i = 0; i < STATES; i++) sum = mix(sum, counts[i]);
  return sum;
}

u32 bench_work(u32 quick) {
  static const char letters[] = "abcdefxyz_0123456789..  \"\"\\//**++-=()";
  u32 state = 0xdecade, sum = 0;
  for (u32 i = 0; i < SIZE; i++) text[i] = letters[next_random(&state) % (sizeof letters - 1)];
  for (u32 round = 0; round < ROUNDS(quick, 800); round++) {
    text[next_random(&state) % SIZE] = letters[round % (sizeof letters - 1)];
    sum = scan(sum);
  }
  return sum;
}
