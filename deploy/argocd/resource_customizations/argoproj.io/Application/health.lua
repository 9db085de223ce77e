-- An app of apps waits for the applications of one wave before it applies the next only if an Application has a health
-- of its own, and Argo CD leaves that to its owner: this is the application's, as the controller found it.
if obj.status == nil or obj.status.health == nil or obj.status.health.status == nil then
  return { status = "Progressing", message = "Argo CD has not looked at this application yet" }
end
return { status = obj.status.health.status, message = obj.status.health.message or "" }
