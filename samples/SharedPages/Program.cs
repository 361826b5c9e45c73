using Microsoft.Extensions.DependencyInjection;
using SharedPages;
using Vfio.Samples;

if (SampleArguments.Parse(args, known: "vk") is not { } arguments)
{
    Console.Error.WriteLine("usage: SharedPages [-v] [-k] PATH | --socket-path PATH"
        + "   (-v: verbose; -k: keep serving, one client after the other)");
    return 2;
}

return await SampleServer.RunAsync(
    "shared-pages",
    arguments.Path,
    services => ActivatorUtilities.CreateInstance<SharedPagesDevice>(services),
    oneClient: !arguments.Switches.Contains('k'),
    verbose: arguments.Switches.Contains('v'));
