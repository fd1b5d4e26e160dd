;; JNE 70+cc Jb
(func $JNE_8a01 (param i32) (result i32)
  (local i64 i64 i32 i32 i32 i64 i32)
  (local.set $1 (i64.load offset=136 (i32.const 0)))
  (local.set $2 (i64.load offset=144 (i32.const 0)))
  (local.set $3 (i32.xor (i64.eqz $1) (i32.const 1)))
  (if $3 (then
    (local.set $4 (i32.load offset=24 $0))
    (if (i32.gt_u $4 (i32.const 1)) (then
      (local.set $5 (i32.add (i32.load offset=176 (i32.const 0)) (i32.load offset=28 $0)))
      (if (i32.ge_s $5 (i32.load8_u offset=23 $4)) (then
        (i32.store offset=176 (i32.const 0) $5)
        (return_call_indirect 0 (type 0) $4 (i32.load $4))
      ))
    ) (else
      (if $4 (then
        (local.set $6 (i64.and (i64.add (i64.load offset=160 (i32.const 0)) (i64.add (i64.extend_i32_u (i32.add (i32.load16_u offset=4 $0) (i32.load8_u offset=6 $0))) (i64.load32_s offset=16 $0))) (i64.const 4294967295)))
        (if (i64.le_u $6 (i64.load32_u offset=608 (i32.const 0))) (then
          (return_call $goto $0 $6)
        ))
      ))
    ))
    (return_call $dispatch (call $branch_slow $0))
  ))
  (local.set $7 (i32.add $0 (i32.const 32)))
  (return_call_indirect 0 (type 0) $7 (i32.load $7))
)
