import Foundation
import OffpeakCommands

exit(
    CommandLineTool.main(
        arguments: Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment))
