import OffpeakCore

extension Failure {
    /// A request in a tier was turned away: what concerns the tier is not held against the request. A model or an account
    /// that does not have the tier comes as a 400 that names the parameter (OpenAI `invalid_service_tier`; Azure's guide to
    /// flex processing: such models answer 400 and do not fall back).
    mutating func judgeTier() {
        let isOfRequest = failureClass == .invalidRequest && [400, 404, 422].contains(statusCode)
        guard isOfRequest else { return }
        let said = (code + " " + message).lowercased()
        guard ["service_tier", "service tier", "servicetier", "flex"].contains(where: said.contains) else { return }
        failureClass = .modelUnavailable
        code = "service_tier_unavailable"
    }
}
