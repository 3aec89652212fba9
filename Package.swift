// swift-tools-version: 6.2
import PackageDescription

// Every target is strict: Swift 6 language mode, warnings are errors, and `any` is always written.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "offpeak",
    products: [.executable(name: "offpeak", targets: ["offpeak"])],
    targets: [
        // C: the two libraries that we drive directly.
        .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary(":libcurl.so.4")]),
        // Headers only: epoll, which Swift's Glibc module leaves out.
        .systemLibrary(name: "CEpoll"),

        // Pure: standard library only.
        library("OffpeakCore"),
        library("JSONLines"),
        library("OffpeakProviders", ["OffpeakCore", "JSONLines"]),
        library("OffpeakForecast", ["OffpeakCore"]),

        // Shells.
        library(
            "OffpeakStore", ["OffpeakCore", "CSQLite"],
            resources: [
                .embedInCode("Migrations/m001_initial.sql"), .embedInCode("Migrations/m002_money.sql"),
                .embedInCode("Migrations/m003_terms.sql"),
                .embedInCode("Migrations/m004_forecast.sql"), .embedInCode("Migrations/m005_forecast_answers.sql"),
                .embedInCode("Migrations/m006_beyond.sql"),
            ]),
        library("OffpeakTransport", ["OffpeakProviders", "CCurl", "CEpoll"]),
        library("OffpeakConfiguration", ["OffpeakCore", "JSONLines", "OffpeakProviders"]),
        library("HTTPServer", ["CEpoll"]),
        library("OffpeakRehearsal", ["HTTPServer", "JSONLines", "OffpeakConfiguration", "OffpeakCore"]),
        library(
            "OffpeakRunner",
            ["OffpeakCore", "JSONLines", "OffpeakStore", "OffpeakProviders", "OffpeakConfiguration"]),
        library("OffpeakSimulator", ["OffpeakCore", "OffpeakStore"]),
        library(
            "OffpeakCommands",
            [
                "OffpeakCore", "JSONLines", "OffpeakStore", "OffpeakProviders", "OffpeakTransport",
                "OffpeakConfiguration", "OffpeakForecast", "HTTPServer", "OffpeakRehearsal", "OffpeakRunner",
            ]),
        .executableTarget(name: "offpeak", dependencies: ["OffpeakCommands"], swiftSettings: strict),

        // Tests.
        tests("OffpeakCoreTests", ["OffpeakCore"]),
        tests("JSONLinesTests", ["JSONLines"]),
        tests("OffpeakProvidersTests", ["OffpeakProviders", "OffpeakCore", "JSONLines"]),
        tests("OffpeakStoreTests", ["OffpeakStore", "OffpeakCore", "CSQLite"]),
        tests("OffpeakTransportTests", ["OffpeakTransport", "OffpeakProviders", "OffpeakCore", "HTTPServer"]),
        tests("OffpeakConfigurationTests", ["OffpeakConfiguration", "OffpeakProviders", "OffpeakCore"]),
        tests("OffpeakRehearsalTests", ["OffpeakRehearsal", "HTTPServer", "JSONLines", "OffpeakConfiguration"]),
        tests(
            "OffpeakRunnerTests",
            ["OffpeakRunner", "OffpeakConfiguration", "OffpeakProviders", "OffpeakStore", "OffpeakCore"]),
        tests("OffpeakForecastTests", ["OffpeakForecast", "OffpeakCore"]),
        tests("SimulationTests", ["OffpeakSimulator", "OffpeakForecast", "OffpeakCore"]),
        tests("CommandTests", ["OffpeakCommands", "OffpeakStore", "OffpeakCore"]),
        tests("TidyTests", []),
    ]
)
