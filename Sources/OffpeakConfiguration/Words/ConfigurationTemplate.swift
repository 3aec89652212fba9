import OffpeakProviders

/// The configuration that `offpeak init` writes.
package enum ConfigurationTemplate {
    /// A commented configuration with one key for each built-in provider that has a key in the environment; names of
    /// variables only, never their values. Without any, a key for a server on this machine.
    package static func text(environment: [String: String]) -> String {
        let found = BuiltInProviders.all.compactMap { entry -> (name: String, variable: String)? in
            let variable = entry.environment.first { !(environment[$0] ?? "").isEmpty }
            return variable.map { (entry.descriptor.name, $0) }
        }
        let direct = found.filter { $0.name != "openrouter" }
        var blocks: [String] = []
        for (index, entry) in direct.enumerated() {
            blocks.append(key(entry.name, variable: entry.variable, explains: index == 0))
        }
        if direct.isEmpty { blocks.append(localKey) }
        if let router = found.first(where: { $0.name == "openrouter" }) { blocks.append(routerKey(router.variable)) }
        let first = direct.first?.name ?? "local"
        return head + (direct.isEmpty ? localProvider : "") + "  keys: {\n" + blocks.joined(separator: "\n")
            + "  },\n\n"
            + classes(first) + "}\n"
    }

    private static let head = """
        // The configuration of offpeak, in JSON5: comments and trailing commas are welcome.
        // `offpeak check` tells everything that is wrong here, and says each class's policy in a sentence.
        {
          // The zone of calendar days and windows, such as "Europe/Berlin".
          timezone: "UTC",


        """

    private static let localProvider = """
          // An OpenAI-compatible server on this machine: vLLM, llama.cpp, Ollama, LiteLLM and others.
          // Those at their usual ports are built in as "vllm", "llamacpp", "ollama" and "lmstudio".
          providers: {
            "my-server": { kind: "openai", base_url: "http://127.0.0.1:8000/v1" },
          },


        """

    private static let localKey = """
            // No key was found in the environment. With one, such as OPENAI_API_KEY, `offpeak init` writes it here.
            "local": {
              provider: "my-server",
              secret: "none",
              limits: { concurrent: 8 },
            },

        """

    private static func key(_ name: String, variable: String, explains: Bool) -> String {
        let limits = """
                  // Your account's limits. Without any, offpeak finds the provider's by itself.
                  // limits: { rpm: 500, tpm: 200000, rpd: 10000, concurrent: 64 },
                  // What it may serve; without this, any model.
                  // models: ["model-one", "model-two"],

            """
        return """
                "\(name)": {
                  provider: "\(name)",
                  // The secret itself never stands here. Also: { file: "PATH" }, { command: ["pass", "show", "\(name)"] }.
                  secret: { env: "\(variable)" },
            \(explains ? limits : "")    },

            """
    }

    private static func routerKey(_ variable: String) -> String {
        """
            // A routing platform's key has to say who bills it. "platform" is shared capacity, for classes that allow it.
            // "openrouter": {
            //   provider: "openrouter",
            //   secret: { env: "\(variable)" },
            //   billing: "router-byok",   // only your own provider keys stored there; else "platform"
            // },

        """
    }

    private static func classes(_ key: String) -> String {
        """
          // Workload classes: what may serve a batch, and what happens when that goes wrong. Postures: strict, fallback,
          // cost, governance, resilience. A class "default" with the posture cost is there without being written.
          classes: {
            "nightly": {
              posture: "cost",
              // window: { open: "22:00", close: "06:00", days: ["mon", "tue", "wed", "thu", "fri"] },
              // deadline: "12h",
              // budget: { usd: 20, per: "day", then: "park" },
            },
            // Sensitive work: these keys and no others, whatever happens; it waits instead.
            // "sensitive": {
            //   posture: "strict",
            //   keys: { only: ["\(key)"] },
            // },
          },

        """
    }
}
