import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders

extension Engine {
    func loadSecret(_ key: String) {
        let mail = mail
        secrets.load(key) { mail.post(.secretLoaded(key: key, $0)) }
    }

    func secretLoaded(
        _ key: String, _ result: Result<Secret, SecretProblem>, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        switch result {
        case .success(let secret):
            let isNew = secrets.replace(key, with: secret, at: now)
            scheduler.handle(isNew ? .secretChanged(key: key) : .secretKept(key: key), at: now, into: &effects)
        case .failure(let problem):
            scheduler.handle(.secretKept(key: key), at: now, into: &effects)
            onNote("key \(key): its secret could not be loaded again: \(problem.message)")
        }
    }
}
