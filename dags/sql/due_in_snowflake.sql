-- Appointments that were booked since the last run. The driver binds the two instants, so nobody has to quote them.
SELECT contact_id, phone
FROM appointments
WHERE booked_at >= %(start)s
  AND booked_at < %(end)s
  AND {{ partition_sql }}
