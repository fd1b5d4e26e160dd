(module
(type 0 (func (param i32) (result i32)))
(type 1 (func (result i32)))
(func $sum (param i32) (result i32)
  (local i32)
  (block $b0
    (loop $l1
      (br_if $b0 (i32.eqz $0))
      (local.set $1 (i32.add $1 $0))
      (local.set $0 (i32.sub $0 (i32.const 1)))
      (br $l1)
    )
  )
  (return $1)
)
(func $sort (param i32) (result i32)
  (block $b0
    (block $b1
      (block $b2
        (block $b3
          (br_table $b3 $b2 $b1 $b0 $0)
        )
        (return (i32.const 13))
      )
      (return (i32.const 12))
    )
    (return (i32.const 11))
  )
  (return (i32.const 10))
)
(func $sides (param i32) (result i32)
  (local i32)
  (if (i32.gt_s $0 (i32.const 0)) (then
    (local.set $1 (i32.mul $0 (i32.const 2)))
  ) (else
    (local.set $1 (i32.sub (i32.const 0) $0))
  ))
  (if (i32.eq $1 (i32.const 6)) (then
    (return (i32.const 600))
  ) (else
    (if (i32.eq $1 (i32.const 7)) (then
      (unreachable)
    ))
  ))
  (return $1)
)
(func $hole (result i32)
  (local i32)
  (local.set $0 (i32.const 5))
  (return $0)
)
(export "sum" (func $sum))
(export "sort" (func $sort))
(export "sides" (func $sides))
(export "hole" (func $hole))
)
