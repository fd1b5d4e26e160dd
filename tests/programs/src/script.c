/* A parser of JSON with its writer, and a little language: compiled to bytes, run by a machine with a stack. */
#include "program.h"

/* Values of JSON, in one pool. */
enum kind { NOTHING, FALSE, TRUE, NUMBER, TEXT, LIST, OBJECT };

struct value {
  u8 kind;
  i32 number;       /* of a number; of a text, its length */
  const char *text; /* of a text; of a member, its name is `name` */
  const char *name;
  u32 name_length;
  struct value *first, *next;
};

static struct value pool[160];
static u32 used;
static const char *at;
static u32 failed;

static struct value *make(enum kind kind) {
  struct value *value = &pool[used < COUNT(pool) - 1 ? used++ : used];
  memset(value, 0, sizeof *value);
  value->kind = (u8)kind;
  return value;
}

static void skip(void) {
  while (*at == ' ' || *at == '\n' || *at == '\t') at++;
}

static u32 take(char character) {
  skip();
  if (*at != character) return 0;
  at++;
  return 1;
}

static u32 take_word(const char *word) {
  u32 length = (u32)text_length(word);
  for (u32 i = 0; i < length; i++) {
    if (at[i] != word[i]) return 0;
  }
  at += length;
  return 1;
}

static const char *take_text(u32 *length) {
  const char *start = at;
  while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
  *length = (u32)(at - start);
  if (*at == '"') {
    at++;
  } else {
    failed = 1;
  }
  return start;
}

static struct value *parse(void) {
  skip();
  switch (*at) {
    case 'n': return take_word("null") ? make(NOTHING) : (failed = 1, make(NOTHING));
    case 't': return take_word("true") ? make(TRUE) : (failed = 1, make(NOTHING));
    case 'f': return take_word("false") ? make(FALSE) : (failed = 1, make(NOTHING));
    case '"': {
      struct value *text = make(TEXT);
      u32 length;
      at++;
      text->text = take_text(&length);
      text->number = (i32)length;
      return text;
    }
    case '[':
    case '{': {
      u32 object = *at++ == '{';
      struct value *list = make(object ? OBJECT : LIST), **last = &list->first;
      if (take(object ? '}' : ']')) return list;
      do {
        const char *name = 0;
        u32 length = 0;
        if (object) {
          if (!take('"')) failed = 1;
          name = take_text(&length);
          if (!take(':')) failed = 1;
        }
        *last = parse();
        (*last)->name = name;
        (*last)->name_length = length;
        last = &(*last)->next;
      } while (!failed && take(','));
      if (!take(object ? '}' : ']')) failed = 1;
      return list;
    }
    default: {
      struct value *number = make(NUMBER);
      u32 negative = *at == '-';
      at += negative;
      if (*at < '0' || *at > '9') failed = 1;
      while (*at >= '0' && *at <= '9') number->number = number->number * 10 + (*at++ - '0');
      if (negative) number->number = -number->number;
      return number;
    }
  }
}

static void put_quoted(const char *text, u32 length) {
  put_char('"');
  while (length--) put_char(*text++);
  put_char('"');
}

static void put_value(const struct value *value) {
  switch (value->kind) {
    case NOTHING: put_text("null"); break;
    case FALSE: put_text("false"); break;
    case TRUE: put_text("true"); break;
    case NUMBER: put_signed(value->number); break;
    case TEXT: put_quoted(value->text, (u32)value->number); break;
    default:
      put_char(value->kind == LIST ? '[' : '{');
      for (const struct value *each = value->first; each; each = each->next) {
        if (each->name) put_quoted(each->name, each->name_length), put_char(':');
        put_value(each);
        if (each->next) put_char(',');
      }
      put_char(value->kind == LIST ? ']' : '}');
  }
}

static i32 total(const struct value *value, u32 depth) {
  i32 sum = value->kind == NUMBER ? value->number * (i32)depth : value->kind;
  for (const struct value *each = value->first; each; each = each->next) sum += total(each, depth + 1);
  return sum;
}

static void documents(void) {
  static const char *const given[] = {
    "{\"name\": \"kernel\", \"sizes\": [1, 22, -333, 4444], \"deep\": {\"a\": {\"b\": [[[]]]}}, \"on\": true, \"off\": false}",
    "[null, \"with \\\"quotes\\\" inside\", [], {}, [[1, 2], [3, [4, [5]]]], -2147483647]",
    "  [ 1 , 2 , { \"x\" : 7 } ]  ", "[1, 2", "{\"a\" 1}", "nul", "[1,, 2]", "\"open", "42",
  };
  for (u32 i = 0; i < COUNT(given); i++) {
    used = 0, failed = 0, at = given[i];
    struct value *value = parse();
    skip();
    if (failed || *at) {
      put_number("wrong at", at - given[i]);
      continue;
    }
    put_value(value);
    put_char('\n');
    put_number("  total", total(value, 1));
  }
}

/* The machine. */
enum code { PUSH, LOAD, STORE, ADD, SUBTRACT, MULTIPLY, DIVIDE, REST, LESS, EQUAL, NOT, JUMP, JUMP_IF_NOT, CALL, RETURN, PRINT, LOCAL, NEGATE, STOP };

static u8 code[1200];
static u32 code_size;
static i32 globals[26];

static void emit(u32 byte) {
  if (code_size < sizeof code) code[code_size++] = (u8)byte;
}

static void emit_word(u32 word) { emit(word), emit(word >> 8), emit(word >> 16), emit(word >> 24); }

static void patch(u32 where, u32 target) {
  for (u32 i = 0; i < 4; i++) code[where + i] = (u8)(target >> 8 * i);
}

/* The compiler: expressions by the strength of their operators; A to Z are functions of x and y, a to w are variables. */
static u32 functions[26];

static void expression(u32 strength);

static void primary(void) {
  skip();
  if (take('(')) {
    expression(0);
    if (!take(')')) failed = 1;
  } else if (take('-')) {
    primary();
    emit(NEGATE);
  } else if (take('!')) {
    primary();
    emit(NOT);
  } else if (*at >= '0' && *at <= '9') {
    u32 number = 0;
    while (*at >= '0' && *at <= '9') number = number * 10 + (u32)(*at++ - '0');
    emit(PUSH), emit_word(number);
  } else if (*at >= 'A' && *at <= 'Z') {
    u32 name = (u32)(*at++ - 'A');
    if (!take('(')) failed = 1;
    expression(0);
    if (take(',')) {
      expression(0);
    } else {
      emit(PUSH), emit_word(0);
    }
    if (!take(')')) failed = 1;
    emit(CALL), emit(name);
  } else if (*at == 'x' || *at == 'y') {
    emit(LOCAL), emit(*at++ == 'y');
  } else if (*at >= 'a' && *at <= 'w') {
    emit(LOAD), emit((u32)(*at++ - 'a'));
  } else {
    failed = 1;
  }
}

static void expression(u32 strength) {
  static const struct {
    char sign;
    u8 strength, code;
  } operators[] = {{'=', 1, EQUAL}, {'<', 2, LESS}, {'+', 3, ADD}, {'-', 3, SUBTRACT}, {'*', 4, MULTIPLY}, {'/', 4, DIVIDE}, {'%', 4, REST}};
  primary();
  for (u32 found = 1; found && !failed;) {
    skip();
    found = 0;
    for (u32 i = 0; i < COUNT(operators); i++) {
      if (*at != operators[i].sign || operators[i].strength <= strength) continue;
      at++;
      expression(operators[i].strength);
      emit(operators[i].code);
      found = 1;
      break;
    }
  }
}

/* `a: e;` gives a value, `?e` prints, `[e ...]` repeats while e, `{e ...}` does once if e, `F e;` makes a function. */
static void statements(char end) {
  while (!failed && !take(end)) {
    skip();
    if (take('?')) {
      expression(0);
      emit(PRINT);
      if (!take(';')) failed = 1;
    } else if (*at == '[' || *at == '{') {
      u32 loop = *at++ == '[', start = code_size;
      expression(0);
      if (!take(';')) failed = 1;
      emit(JUMP_IF_NOT);
      u32 hole = code_size;
      emit_word(0);
      statements(loop ? ']' : '}');
      if (loop) emit(JUMP), emit_word(start);
      patch(hole, code_size);
    } else if (*at >= 'A' && *at <= 'Z') {
      u32 name = (u32)(*at++ - 'A');
      emit(JUMP);
      u32 hole = code_size;
      emit_word(0);
      functions[name] = code_size;
      expression(0);
      emit(RETURN);
      patch(hole, code_size);
      if (!take(';')) failed = 1;
    } else if (*at >= 'a' && *at <= 'w') {
      u32 name = (u32)(*at++ - 'a');
      if (!take(':')) failed = 1;
      expression(0);
      emit(STORE), emit(name);
      if (!take(';')) failed = 1;
    } else {
      failed = 1;
    }
  }
}

static i32 stack[400];

static u32 word_at(u32 where) {
  return code[where] | (u32)code[where + 1] << 8 | (u32)code[where + 2] << 16 | (u32)code[where + 3] << 24;
}

static u32 run(void) {
  u32 pc = 0, steps = 0;
  i32 *top = stack + 2, *frame = stack;
  for (;; steps++) {
    if (top >= stack + COUNT(stack) - 4) return steps;
    switch (code[pc++]) {
      case PUSH: *top++ = (i32)word_at(pc), pc += 4; break;
      case LOAD: *top++ = globals[code[pc++]]; break;
      case STORE: globals[code[pc++]] = *--top; break;
      case LOCAL: *top++ = frame[code[pc++]]; break;
      case ADD: top--, top[-1] += *top; break;
      case SUBTRACT: top--, top[-1] -= *top; break;
      case MULTIPLY: top--, top[-1] *= *top; break;
      case DIVIDE: top--, top[-1] = *top == 0 ? 0 : top[-1] / *top; break;
      case REST: top--, top[-1] = *top == 0 ? 0 : top[-1] % *top; break;
      case LESS: top--, top[-1] = top[-1] < *top; break;
      case EQUAL: top--, top[-1] = top[-1] == *top; break;
      case NOT: top[-1] = !top[-1]; break;
      case NEGATE: top[-1] = -top[-1]; break;
      case JUMP: pc = word_at(pc); break;
      case JUMP_IF_NOT: pc = *--top ? pc + 4 : word_at(pc); break;
      case CALL:
        top[0] = (i32)(pc + 1), top[1] = (i32)(frame - stack);
        frame = top - 2;
        pc = functions[code[pc]];
        top += 2;
        break;
      case RETURN: {
        i32 result = top[-1];
        pc = (u32)frame[2];
        top = frame + 1;
        frame = stack + frame[3];
        top[-1] = result;
        break;
      }
      case PRINT: put_signed(*--top), put_char('\n'); break;
      default: return steps;
    }
  }
}

static void programs(void) {
  static const char *const given[] = {
    "a: 2; [a < 60; p: 1; d: 2; [d * d < a + 1; p: p * !(a % d = 0); d: d + 1;] {p; ?a;} a: a + 1;].",
    "F (x < 2) * x + 1 * !(x < 2) * 7; ?F(1); ?F(5); G x * 31 + y % 7; ?G(G(2, 3), G(4, 5));.",
    "n: 1; m: 0; [n < 150; c: n; s: 0; [!(c = 1); h: c % 2; c: (c / 2) * !h + (3 * c + 1) * h; s: s + 1;] {m < s; m: s; b: n;} n: n + 1;] ?b; ?m;.",
    "a: 1; b: 1; i: 0; [i < 40; c: a + b; a: b; b: c; i: i + 1;] ?a; ?-b; ?(1 + 2) * 3 - 4 / 2 = 7;.",
    "E x * !(y = 0) + y; s: 12345; i: 0; t: 0; [i < 1000; s: s * 1103515245 + 12345; t: E(t + s / 65536 % 100, i % 3) ; i: i + 1;] ?t;.",
    "a: 1; [a < ; ?1;].",
  };
  for (u32 i = 0; i < COUNT(given); i++) {
    code_size = 0, failed = 0, at = given[i];
    memset(globals, 0, sizeof globals);
    statements('.');
    emit(STOP);
    if (failed) {
      put_number("no program at", at - given[i]);
      continue;
    }
    u32 sum = 1;
    for (u32 j = 0; j < code_size; j++) sum = mix(sum, code[j]);
    put_sum("code", sum);
    put_number("steps", run());
  }
}

void program(void) {
  documents();
  programs();
}
