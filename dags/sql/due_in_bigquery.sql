-- The hook binds both instants by name. A NUMERIC key comes as text and a TIMESTAMP as seconds: cast what you use.
SELECT CAST(contact_id AS STRING) AS contact_id, phone
FROM sales.appointments
WHERE booked_at >= TIMESTAMP(%(start)s)
  AND booked_at < TIMESTAMP(%(end)s)
