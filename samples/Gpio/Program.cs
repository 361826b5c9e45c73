using Gpio;
using Microsoft.Extensions.DependencyInjection;
using Vfio.Samples;

if (SampleArguments.Parse(args, known: "vRM") is not { } arguments)
{
    Console.Error.WriteLine("usage: Gpio [-v] [-R] [-M] PATH | --socket-path PATH"
        + "   (-v: verbose; -R: end after one client; -M: no migration)");
    return 2;
}

return await SampleServer.RunAsync(
    "gpio",
    arguments.Path,
    services => ActivatorUtilities.CreateInstance<GpioDevice>(services, new GpioOptions(Migrates: !arguments.Switches.Contains('M'))),
    oneClient: arguments.Switches.Contains('R'),
    verbose: arguments.Switches.Contains('v'));
