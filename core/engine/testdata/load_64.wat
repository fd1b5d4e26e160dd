;; MOV 8B /r Gv,Ev
(func $MOV_1136a (param i32) (result i32)
  (local i64 i32 i32 i32 i32 i64 i64 i32)
  (local.set $1 (i64.add (i64.load (i32.load16_u offset=12 $0)) (i64.load32_s offset=16 $0)))
  (local.set $2 (i32.add (i32.load offset=180 (i32.const 0)) (i32.and (i32.xor (i32.wrap_i64 (i64.shr_u $1 (i64.const 7))) (i32.and (i32.wrap_i64 (i64.shr_u $1 (i64.const 18))) (i32.const 16352))) (i32.const 65504))))
  (local.set $3 (i64.eq (i64.load $2) (i64.and (i64.add $1 (i64.const 7)) (i64.const -4096))))
  (local.set $4 (i32.wrap_i64 $1))
  (local.set $5 (i32.add $4 (i32.load offset=16 $2)))
  (if $3 (then
    (local.set $6 (i64.load 1 $5))
  ) (else
    (if (i32.eqz (call $slow $0 $4 (i32.wrap_i64 (i64.shr_u $1 (i64.const 32))) (i32.const 8))) (then
      (return (i32.const 0))
    ))
    (local.set $6 (i64.load offset=208 (i32.const 0)))
  ))
  (local.set $7 $6)
  (i64.store (i32.load16_u offset=8 $0) $7)
  (local.set $8 (i32.add $0 (i32.const 32)))
  (return_call_indirect 0 (type 0) $8 (i32.load $8))
)
